"""Python code that model files store (Lambda layers): read, shown and understood, and never run."""

from core.bytecode.marshal_reader import BytecodeError, Code, read_code

__all__ = ["BytecodeError", "Code", "read_code"]
