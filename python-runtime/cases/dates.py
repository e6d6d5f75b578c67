import datetime as dt
from zoneinfo import ZoneInfo

day = dt.date(2024, 2, 28)
print([str(day + dt.timedelta(days=n)) for n in range(3)], day.isocalendar(), day.strftime("%A %d %B %Y"))
moment = dt.datetime(2024, 3, 31, 0, 30, tzinfo=dt.timezone.utc)
for zone in ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"):
    print(zone, moment.astimezone(ZoneInfo(zone)).isoformat())
print(dt.datetime.fromisoformat("2024-05-06T07:08:09+02:00") - moment)
print(dt.datetime.strptime("06/May/2024:07:08:09 +0200", "%d/%b/%Y:%H:%M:%S %z"))
