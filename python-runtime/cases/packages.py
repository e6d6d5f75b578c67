import attr
import dateutil.parser
import dateutil.relativedelta
import jinja2
import markdown
import tabulate
import tomli_w
import yaml


@attr.s(auto_attribs=True)
class P:
    x: int
    y: int = 2


print(P(1), yaml.safe_load("a: [1, {b: c}]\nd: 2024-01-02\n"), repr(yaml.safe_dump({"k": ["v", None]})))
print(jinja2.Template("{% for i in items %}{{ loop.index }}:{{ i|upper }} {% endfor %}").render(items=["a", "b"]))
print(tabulate.tabulate([["a", 1], ["b", 22]], headers=["name", "n"], tablefmt="github"))
print(dateutil.parser.parse("3rd of May 2021 5pm"), dateutil.relativedelta.relativedelta(months=+1) + dateutil.parser.parse("2024-01-31"))
print(markdown.markdown("# T\n\n* *a*\n* `b`"), repr(tomli_w.dumps({"a": {"b": [1]}})))
