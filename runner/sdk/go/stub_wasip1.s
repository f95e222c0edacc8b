// Lets the compiler accept the body-less runMain, which the linker binds to main.main.
