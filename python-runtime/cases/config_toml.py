import configparser
import tomllib

config = configparser.ConfigParser()
config.read_string("[a]\nx = 1\ny: %(x)s2\n[b]\nflag = yes\n")
print(config.sections(), config["a"]["y"], config.getboolean("b", "flag"), config.get("a", "z", fallback="-"))
print(tomllib.loads('title = "t"\n[owner]\nborn = 1979-05-27\nports = [1, 2]\n[[p]]\nn = 1.5\n'))
try:
    tomllib.loads("a = ")
except tomllib.TOMLDecodeError as error:
    print(error)
