import csv
import io
import sys

rows = list(csv.DictReader(sys.stdin))
totals = {}
for row in rows:
    totals[row["city"]] = totals.get(row["city"], 0) + int(row["amount"])
out = io.StringIO()
writer = csv.writer(out, lineterminator="\n")
writer.writerow(["city", "total"])
writer.writerows(sorted(totals.items()))
print(out.getvalue(), end="")
