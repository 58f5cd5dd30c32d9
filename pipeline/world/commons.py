"""What everybody meets: word lists, tools, scanners, resolvers. None of it tells a campaign.

Addresses and names of benign infrastructure are real, so that lists of such infrastructure know
them; they are those of public resolvers, CDNs and research scanners in MISP's warninglists (CC0).
The order in a list is how common a thing is: the n-th weighs 1/n.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TypeVar

from pipeline.world.dice import Dice, Weights
from pipeline.world.mint import Mint, credential

T = TypeVar("T")


def _made(name: str, digits: int) -> str:
    """A fingerprint or hash that stands for a well-known thing, the same in every world."""
    return sha256(name.encode()).hexdigest()[:digits]


# What honeypots hear most, year after year.
_LOGONS = """
    root/123456 root/root admin/admin root/admin root/password admin/123456 root/1234 user/user
    root/12345 test/test admin/password ubuntu/ubuntu admin/1234 root/111111 oracle/oracle
    postgres/postgres guest/guest root/12345678 support/support pi/raspberry git/git admin/admin123
    root/toor ftpuser/ftpuser mysql/mysql user/123456 root/qwerty test/123456 nagios/nagios
    deploy/deploy hadoop/hadoop root/xc3511 root/vizxv root/888888 admin/7ujMko0admin root/anko
""".split()  # noqa: SIM905  (a table to read and compare)
LOGONS = [
    (user, credential(user, password)) for user, _, password in (x.partition("/") for x in _LOGONS)
]
AGENTS = (
    "Mozilla/5.0 zgrab/0.x",
    "Go-http-client/1.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0",
    "python-requests/2.31.0",
    "curl/7.88.1",
    "Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)",
    "masscan/1.3",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Expanse, a Palo Alto Networks company, searches across the global IPv4 space",
    "libredtail-http",
)
PATHS = (
    *("/", "/favicon.ico", "/robots.txt", "/.env", "/.git/config", "/wp-login.php", "/login"),
    *("/manager/html", "/actuator/health", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php"),
    *("/cgi-bin/luci", "/boaform/admin/formLogin", "/solr/admin/info/system", "/sitemap.xml"),
)
HASSHES = [_made(f"hassh {n}", 32) for n in range(8)]
CLIENTS = [  # JA3 and JA4 of one client program
    (_made(f"ja3 {n}", 32), f"t13d1516h2_{_made(f'b {n}', 12)}_{_made(f'c {n}', 12)}")
    for n in range(12)
]
FILES = [_made(f"commodity malware {n}", 64) for n in range(10)]
CVES = (
    *("CVE-2017-9841", "CVE-2021-44228", "CVE-2018-10561", "CVE-2023-1389", "CVE-2014-8361"),
    *("CVE-2021-41773", "CVE-2022-30525", "CVE-2019-9082", "CVE-2024-4577", "CVE-2017-17215"),
)
PACKAGES = (
    *("pkg:npm/lodash@4.17.21", "pkg:npm/express@4.18.2", "pkg:pypi/requests@2.31.0"),
    *("pkg:maven/org.apache.logging.log4j/log4j-core@2.17.1", "pkg:npm/axios@1.6.2"),
)
NAMES = (
    *("www.google.com", "ctldl.windowsupdate.com", "connectivitycheck.gstatic.com"),
    *("ocsp.digicert.com", "pool.ntp.org", "github.com", "api.ipify.org", "www.cloudflare.com"),
)
TYPED = (
    "cat /proc/cpuinfo | grep name | head -n 1 | awk '{print $4,$5,$6,$7,$8,$9;}'",
    "uname -a",
    "enable; system; shell; sh; cat /proc/mounts; /bin/busybox SATORI",
    "free -m | grep Mem | awk '{print $2 ,$3, $4, $5, $6, $7}'; ls -lh $(which ls); which ls",
    "uname -s -v -n -r -m",
    "cd ~; chattr -ia .ssh; lockr -ia .ssh",
    "cat /proc/cpuinfo | grep model | grep name | wc -l; top; uname; uname -m; w; crontab -l",
    "cd ~ && rm -rf .ssh && mkdir .ssh && echo key >> .ssh/authorized_keys && chmod -R go= ~/.ssh",
    "ifconfig; cat /proc/uptime; ps -ef | grep '[Mm]iner'; ls -la /dev/ttyGSM* /var/spool/sms/*",
    "echo -e '\\x6F\\x6B'",
    "lscpu | grep Model; df -h | head -n 2 | awk 'FNR == 2 {print $2;}'; whoami; hostname",
    "nproc; uptime; last | head; cat /etc/issue; cat /etc/passwd | wc -l; netstat -tulpn | head",
)
RESOLVERS = ("8.8.8.8", "1.1.1.1", "9.9.9.9", "8.8.4.4", "1.0.0.1", "208.67.222.222")
CDN = (
    *("104.16.132.229", "104.18.32.7", "151.101.1.69", "151.101.65.140", "23.215.0.136"),
    *("52.84.0.10", "66.249.66.1", "157.55.39.10"),
)
SCANNERS = (
    *("162.142.125.10", "162.142.125.217", "167.94.138.30", "167.94.145.61", "167.248.133.20"),
    *("71.6.135.131", "80.82.77.33", "198.235.24.10", "205.210.31.5"),
)
_UNLISTED = 12  # scanners of the whole internet that no list names
PORTS = (22, 23, 445, 80, 443, 3389, 8080, 5060, 2323, 1433, 6379, 8443, 5900, 25, 21)
INNOCENT = (*RESOLVERS, *CDN)

_zipf = {size: Weights.zipf(size) for size in range(1, 64)}


def common(dice: Dice, things: list[T] | tuple[T, ...]) -> T:
    """One of a list of fewer than 64, the first ones mostly."""
    return things[dice.weighted(_zipf[len(things)])]


def scanners(dice: Dice, mint: Mint) -> list[str]:
    """All that scan the internet daily: those of the lists, and this world's own."""
    for address in (*SCANNERS, *INNOCENT):
        mint.reserve(address)
    return [*SCANNERS, *(mint.address(dice) for _ in range(_UNLISTED))]
