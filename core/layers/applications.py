"""The architectures of Keras Applications as values, so that a list of them needs no Keras.

Facts of Keras 3.15: the size at which an architecture is built when none is given, and its parameters then, with the
1000 classes of ImageNet on top. A test builds every one of them with Keras and compares.
"""

from msgspec import Struct

CLASSES = 1000
"""Classes of the ImageNet weights; with them on top, no other number will do."""


class Architecture(Struct, frozen=True):
    """One function of `keras.applications`. `preprocessing` tells whether it can normalize its inputs itself."""

    name: str
    family: str
    size: int
    params: int
    preprocessing: bool = False


ARCHITECTURES = (
    Architecture("ConvNeXtBase", "ConvNeXt", 224, 88_591_464, preprocessing=True),
    Architecture("ConvNeXtLarge", "ConvNeXt", 224, 197_767_336, preprocessing=True),
    Architecture("ConvNeXtSmall", "ConvNeXt", 224, 50_223_688, preprocessing=True),
    Architecture("ConvNeXtTiny", "ConvNeXt", 224, 28_589_128, preprocessing=True),
    Architecture("ConvNeXtXLarge", "ConvNeXt", 224, 350_196_968, preprocessing=True),
    Architecture("DenseNet121", "DenseNet", 224, 8_062_504),
    Architecture("DenseNet169", "DenseNet", 224, 14_307_880),
    Architecture("DenseNet201", "DenseNet", 224, 20_242_984),
    Architecture("EfficientNetB0", "EfficientNet", 224, 5_330_571),
    Architecture("EfficientNetB1", "EfficientNet", 240, 7_856_239),
    Architecture("EfficientNetB2", "EfficientNet", 260, 9_177_569),
    Architecture("EfficientNetB3", "EfficientNet", 300, 12_320_535),
    Architecture("EfficientNetB4", "EfficientNet", 380, 19_466_823),
    Architecture("EfficientNetB5", "EfficientNet", 456, 30_562_527),
    Architecture("EfficientNetB6", "EfficientNet", 528, 43_265_143),
    Architecture("EfficientNetB7", "EfficientNet", 600, 66_658_687),
    Architecture("EfficientNetV2B0", "EfficientNetV2", 224, 7_200_312, preprocessing=True),
    Architecture("EfficientNetV2B1", "EfficientNetV2", 240, 8_212_124, preprocessing=True),
    Architecture("EfficientNetV2B2", "EfficientNetV2", 260, 10_178_374, preprocessing=True),
    Architecture("EfficientNetV2B3", "EfficientNetV2", 300, 14_467_622, preprocessing=True),
    Architecture("EfficientNetV2L", "EfficientNetV2", 480, 119_027_848, preprocessing=True),
    Architecture("EfficientNetV2M", "EfficientNetV2", 480, 54_431_388, preprocessing=True),
    Architecture("EfficientNetV2S", "EfficientNetV2", 384, 21_612_360, preprocessing=True),
    Architecture("InceptionResNetV2", "Inception", 299, 55_873_736),
    Architecture("InceptionV3", "Inception", 299, 23_851_784),
    Architecture("MobileNet", "MobileNet", 224, 4_253_864),
    Architecture("MobileNetV2", "MobileNet", 224, 3_538_984),
    Architecture("MobileNetV3Large", "MobileNet", 224, 5_507_432, preprocessing=True),
    Architecture("MobileNetV3Small", "MobileNet", 224, 2_554_968, preprocessing=True),
    Architecture("NASNetLarge", "NASNet", 331, 88_949_818),
    Architecture("NASNetMobile", "NASNet", 224, 5_326_716),
    Architecture("ResNet101", "ResNet", 224, 44_707_176),
    Architecture("ResNet101V2", "ResNet", 224, 44_675_560),
    Architecture("ResNet152", "ResNet", 224, 60_419_944),
    Architecture("ResNet152V2", "ResNet", 224, 60_380_648),
    Architecture("ResNet50", "ResNet", 224, 25_636_712),
    Architecture("ResNet50V2", "ResNet", 224, 25_613_800),
    Architecture("VGG16", "VGG", 224, 138_357_544),
    Architecture("VGG19", "VGG", 224, 143_667_240),
    Architecture("Xception", "Xception", 299, 22_910_480),
)


def architecture(name: str) -> Architecture:
    """The architecture of that name. Raises `KeyError`."""
    for one in ARCHITECTURES:
        if one.name == name:
            return one
    raise KeyError(name)
