import urllib.parse as up

parts = up.urlsplit("https://user@example.com:8443/a%20b/c?q=1&q=2&x=%C3%A9#frag")
print(parts.hostname, parts.port, up.unquote(parts.path), up.parse_qs(parts.query), parts.fragment)
print(up.urlencode({"a": "x y", "b": ["1", "2"]}, doseq=True), up.urljoin("http://h/a/b/", "../c"), up.quote("é/?"))
