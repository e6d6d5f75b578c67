import unicodedata

text = "naïve café 日本語 🎉"
print(text, len(text), text.upper(), text.encode().hex())
print(unicodedata.normalize("NFD", "é") == "e\u0301", unicodedata.name("🎉"), "ß".upper(), "İ".lower().encode())
print("日本語".encode("shift_jis"), b"\xe9".decode("latin-1"), "é".encode("utf-16-le"))
try:
    b"\xff".decode()
except UnicodeDecodeError as error:
    print(error)
print("a\tb\\n", repr("\x00\u200b"), ascii(text))
