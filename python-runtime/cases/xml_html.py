import html
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

root = ET.fromstring("<r><i id='1'>one</i><i id='2'>two &amp; three</i></r>")
print([(item.get("id"), item.text) for item in root.iter("i")], root.find("i[@id='2']").text)
ET.SubElement(root, "new", a="<").text = "é"
print(ET.tostring(root, encoding="unicode"))


class Links(HTMLParser):
    def handle_starttag(self, tag, attrs):
        if tag == "a":
            print("link", dict(attrs).get("href"))

    def handle_data(self, data):
        if data.strip():
            print("text", data.strip())


Links().feed("<p>see <a href='/x?a=1&amp;b=2'>this</a></p>")
print(html.escape("<a & 'b'>"), html.unescape("&eacute;&#33;"))
