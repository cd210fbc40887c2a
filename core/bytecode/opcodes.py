"""Numbers of the instructions that small functions use, for Python 2.7 and 3.4 to 3.13; others are shown by number.

From `Include/opcode.h` and `Lib/opcode.py` of each version. Up to 3.10 they hardly changed, 3.11 has its own calls and
operators, 3.13 new numbers throughout.
"""

Table = dict[int, str]

_ALL: Table = {
    1: "POP_TOP", 11: "UNARY_NEGATIVE", 12: "UNARY_NOT", 25: "BINARY_SUBSCR", 83: "RETURN_VALUE", 92: "UNPACK_SEQUENCE",
    100: "LOAD_CONST", 101: "LOAD_NAME", 102: "BUILD_TUPLE", 103: "BUILD_LIST", 105: "BUILD_MAP", 106: "LOAD_ATTR",
    107: "COMPARE_OP", 108: "IMPORT_NAME", 109: "IMPORT_FROM", 116: "LOAD_GLOBAL", 124: "LOAD_FAST", 125: "STORE_FAST",
    132: "MAKE_FUNCTION", 133: "BUILD_SLICE", 9: "NOP", 60: "STORE_SUBSCR", 68: "GET_ITER", 93: "FOR_ITER",
    95: "STORE_ATTR", 110: "JUMP_FORWARD", 130: "RAISE_VARARGS", 97: "STORE_GLOBAL",
}  # fmt: skip
_TO_310: Table = {
    2: "ROT_TWO", 3: "ROT_THREE", 4: "DUP_TOP", 10: "UNARY_POSITIVE", 19: "BINARY_POWER", 20: "BINARY_MULTIPLY",
    22: "BINARY_MODULO", 23: "BINARY_ADD", 24: "BINARY_SUBTRACT", 26: "BINARY_FLOOR_DIVIDE", 27: "BINARY_TRUE_DIVIDE",
    28: "INPLACE_FLOOR_DIVIDE", 29: "INPLACE_TRUE_DIVIDE", 55: "INPLACE_ADD", 56: "INPLACE_SUBTRACT",
    57: "INPLACE_MULTIPLY", 67: "INPLACE_POWER", 64: "BINARY_AND", 66: "BINARY_OR", 111: "JUMP_IF_FALSE_OR_POP",
    112: "JUMP_IF_TRUE_OR_POP", 113: "JUMP_ABSOLUTE", 114: "POP_JUMP_IF_FALSE", 115: "POP_JUMP_IF_TRUE",
    131: "CALL_FUNCTION", 135: "LOAD_CLOSURE", 136: "LOAD_DEREF", 137: "STORE_DEREF",
}  # fmt: skip
_PYTHON_2: Table = {
    21: "BINARY_DIVIDE", 58: "INPLACE_DIVIDE", 30: "SLICE+0", 31: "SLICE+1", 32: "SLICE+2", 33: "SLICE+3",
    71: "PRINT_ITEM", 72: "PRINT_NEWLINE", 85: "EXEC_STMT", 134: "MAKE_CLOSURE", 140: "CALL_FUNCTION_VAR",
    141: "CALL_FUNCTION_KW", 142: "CALL_FUNCTION_VAR_KW", 145: "EXTENDED_ARG",
}  # fmt: skip
_PYTHON_3: Table = {16: "BINARY_MATRIX_MULTIPLY", 144: "EXTENDED_ARG"}
_35: Table = {134: "MAKE_CLOSURE", 140: "CALL_FUNCTION_VAR", 141: "CALL_FUNCTION_KW_EX", 142: "CALL_FUNCTION_VAR_KW"}
_37: Table = {
    141: "CALL_FUNCTION_KW", 142: "CALL_FUNCTION_EX", 156: "BUILD_CONST_KEY_MAP", 160: "LOAD_METHOD",
    161: "CALL_METHOD",
}  # fmt: skip
_310: Table = {
    **_37, 5: "DUP_TOP_TWO", 82: "LIST_TO_TUPLE", 99: "ROT_N", 117: "IS_OP", 118: "CONTAINS_OP", 162: "LIST_EXTEND",
}  # fmt: skip
_311_312: Table = {
    0: "CACHE", 2: "PUSH_NULL", 99: "SWAP", 117: "IS_OP", 118: "CONTAINS_OP", 120: "COPY", 122: "BINARY_OP",
    135: "MAKE_CELL", 136: "LOAD_CLOSURE", 137: "LOAD_DEREF", 138: "STORE_DEREF", 142: "CALL_FUNCTION_EX",
    144: "EXTENDED_ARG", 149: "COPY_FREE_VARS", 151: "RESUME", 156: "BUILD_CONST_KEY_MAP", 162: "LIST_EXTEND",
    171: "CALL", 172: "KW_NAMES", 140: "JUMP_BACKWARD",
}  # fmt: skip
_311: Table = {
    10: "UNARY_POSITIVE", 82: "LIST_TO_TUPLE", 111: "JUMP_IF_FALSE_OR_POP", 112: "JUMP_IF_TRUE_OR_POP",
    114: "POP_JUMP_FORWARD_IF_FALSE", 115: "POP_JUMP_FORWARD_IF_TRUE", 160: "LOAD_METHOD", 166: "PRECALL",
}  # fmt: skip
_312: Table = {
    26: "BINARY_SLICE", 114: "POP_JUMP_IF_FALSE", 115: "POP_JUMP_IF_TRUE", 121: "RETURN_CONST", 127: "LOAD_FAST_CHECK",
    173: "CALL_INTRINSIC_1",
}  # fmt: skip
_313: Table = {
    0: "CACHE", 4: "BINARY_SLICE", 5: "BINARY_SUBSCR", 19: "GET_ITER", 26: "MAKE_FUNCTION", 30: "NOP", 32: "POP_TOP",
    34: "PUSH_NULL", 36: "RETURN_VALUE", 39: "STORE_SUBSCR", 40: "TO_BOOL", 42: "UNARY_NEGATIVE", 43: "UNARY_NOT",
    45: "BINARY_OP", 46: "BUILD_CONST_KEY_MAP", 47: "BUILD_LIST", 48: "BUILD_MAP", 50: "BUILD_SLICE", 52: "BUILD_TUPLE",
    53: "CALL", 54: "CALL_FUNCTION_EX", 55: "CALL_INTRINSIC_1", 57: "CALL_KW", 58: "COMPARE_OP", 59: "CONTAINS_OP",
    61: "COPY", 62: "COPY_FREE_VARS", 71: "EXTENDED_ARG", 72: "FOR_ITER", 74: "IMPORT_FROM", 75: "IMPORT_NAME",
    76: "IS_OP", 77: "JUMP_BACKWARD", 79: "JUMP_FORWARD", 81: "LIST_EXTEND", 82: "LOAD_ATTR", 83: "LOAD_CONST",
    84: "LOAD_DEREF", 85: "LOAD_FAST", 87: "LOAD_FAST_CHECK", 88: "LOAD_FAST_LOAD_FAST", 91: "LOAD_GLOBAL",
    92: "LOAD_NAME", 94: "MAKE_CELL", 97: "POP_JUMP_IF_FALSE", 100: "POP_JUMP_IF_TRUE", 101: "RAISE_VARARGS",
    103: "RETURN_CONST", 106: "SET_FUNCTION_ATTRIBUTE", 108: "STORE_ATTR", 109: "STORE_DEREF", 110: "STORE_FAST",
    111: "STORE_FAST_LOAD_FAST", 112: "STORE_FAST_STORE_FAST", 113: "STORE_GLOBAL", 115: "SWAP", 117: "UNPACK_SEQUENCE",
    149: "RESUME",
}  # fmt: skip

OPCODES: dict[str, Table] = {
    "2.7": {**_ALL, **_TO_310, **_PYTHON_2},
    "3.5": {**_ALL, **_TO_310, **_PYTHON_3, **_35},
    "3.7": {**_ALL, **_TO_310, **_PYTHON_3, **_37},
    "3.10": {**_ALL, **_TO_310, **_PYTHON_3, **_310},
    "3.11": {**_ALL, **_311_312, **_311},
    "3.12": {**_ALL, **_311_312, **_312},
    "3.13": _313,
}
"""One of each kind of instruction set: 3.5 stands for 3.4 too, 3.7 for 3.6, 3.10 for 3.8 and later."""

HAVE_ARGUMENT = {"3.13": 44}
"""Instructions below this number take no argument; 90 in the other versions."""

OPERATORS = {
    "ADD": "+", "SUBTRACT": "-", "MULTIPLY": "*", "DIVIDE": "/", "TRUE_DIVIDE": "/", "FLOOR_DIVIDE": "//",
    "MODULO": "%", "POWER": "**", "MATRIX_MULTIPLY": "@", "AND": "&", "OR": "|",
}  # fmt: skip
BINARY_OP = ("+", "&", "//", "<<", "@", "*", "%", "|", "**", ">>", "-", "/", "^")
"""What the argument of BINARY_OP means (`_nb_ops`); in-place forms follow in the same order."""

CACHES: dict[str, dict[str, int]] = {
    "3.11": {
        "LOAD_GLOBAL": 5, "LOAD_ATTR": 4, "LOAD_METHOD": 10, "BINARY_SUBSCR": 4, "BINARY_OP": 1, "CALL": 4,
        "PRECALL": 1, "UNPACK_SEQUENCE": 1,
    },
    "3.12": {
        "LOAD_GLOBAL": 4, "LOAD_ATTR": 9, "BINARY_SUBSCR": 1, "BINARY_OP": 1, "CALL": 3, "UNPACK_SEQUENCE": 1,
    },
    "3.13": {
        "LOAD_GLOBAL": 4, "LOAD_ATTR": 9, "BINARY_SUBSCR": 1, "BINARY_OP": 1, "CALL": 3, "UNPACK_SEQUENCE": 1,
    },
}  # fmt: skip
"""How many cache entries follow an instruction: what tells these versions apart."""
