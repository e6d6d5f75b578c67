import logging
import sys

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(levelname)s:%(name)s:%(message)s")
log = logging.getLogger("app.part")
log.info("count %d", 3)
log.debug("hidden")
try:
    1 / 0
except ZeroDivisionError:
    log.error("failed: %s", sys.exc_info()[1])
log.warning("careful")
