mine = "the program's own module"
