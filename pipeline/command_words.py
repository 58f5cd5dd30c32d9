"""The words that what is known of a command line may hold: a closed list. No I/O here.

They are those of shells and common tools as attackers use them, none that tells of a person, a
machine or an organisation. A word that stands here may leave a sensor; no other does.
"""

from __future__ import annotations

from typing import Final

URL: Final = "URL"
ADDRESS: Final = "ADDRESS"
PATH: Final = "PATH"
NUMBER: Final = "NUMBER"
WORD: Final = "WORD"
SETTING: Final = "SETTING"
"""`NAME=value`."""
PLACEHOLDERS: Final = frozenset((URL, ADDRESS, PATH, NUMBER, WORD, SETTING))
"""What stands for everything else, by its kind."""

OPERATORS: Final = frozenset(
    """
    ; & && | || ( ) ` $( > >> < << <<< 1> 2> 1>> 2>> &> &>> >&1 >&2 >&- 1>&1 1>&2 1>&- 2>&1 2>&2
    2>&-
    """.split()  # noqa: SIM905  (a table to read)
)
REDIRECTIONS: Final = frozenset("> >> < << <<< 1> 2> 1>> 2>> &> &>>".split())  # noqa: SIM905
"""Those that a file's name follows."""

CARRIERS: Final = frozenset(
    """
    ! { busybox command builtin do doas else elif env eval exec if ionice nice nohup setsid stdbuf
    sudo then time timeout toybox until while xargs
    """.split()  # noqa: SIM905  (a table to read)
)
"""After these a shell looks for one more command."""
SHELLS: Final = frozenset("ash bash dash ksh sh su zsh".split())  # noqa: SIM905
NAMERS: Final = frozenset(
    """
    apk apt apt-get command dnf hash killall pgrep pidof pkill type whereis which yum zypper
    """.split()  # noqa: SIM905
)
"""The operands of these are tools again."""
KEEPERS: Final = frozenset(
    """
    adduser chpasswd echo expect htpasswd mysql mysqladmin openssl passwd printf psql redis-cli
    smbclient ssh-keygen sshpass su useradd usermod
    """.split()  # noqa: SIM905
)
"""Of the operands of these not even the kind is told: they may be names and passwords."""
COMMANDS: Final = (
    CARRIERS
    | SHELLS
    | NAMERS
    | KEEPERS
    | frozenset(
        """
        . : [ [[ } alias apropos arch arp ash at awk base64 basename batch bc bg blkid break bunzip2
        bzip2 case cat cd chattr chgrp chmod chown chroot clear cmp cp cpio cron crond crontab csh
        curl cut date dd declare df diff dig dirname disown dmesg dmidecode docker done dpkg du
        egrep enable env esac exit export expr false fdisk fetch fg fgrep fi file find for free fsck
        ftp ftpget ftpput fuser gawk gcc getent git grep groups gunzip gzip halt head help history
        host hostname hostnamectl id ifconfig init insmod install ip iptables iwconfig java jobs
        join kill killall5 kubectl last lastlog ldd less let ln local locale locate logger login
        logout ls lsattr lsb_release lscpu lshw lsmod lsof lspci lsusb make md5sum mkdir mkfifo mkfs
        mknod mktemp modprobe more mount mv nc ncat netcat netstat nl nmap node nohup nologin nproc
        npm nslookup ntpdate nvidia-smi od pacman paste patch perl php ping pip pip3 poweroff
        printenv ps pwd pwsh python python2 python3 quit read readlink reboot renice reset return rm
        rmdir rmmod route rpm rsync ruby run-parts runlevel scp screen sed select seq service set
        sftp sha1sum sha256sum shell shift shred shutdown sleep socat sort source split ss ssh
        ssh-add ssh-agent ssh-copy-id stat stop strace strings stty swapoff sync sysctl system
        systemctl tac tail tar taskset tee telnet test tftp tmux top touch tr trap traceroute true
        tty ulimit umask umount unalias uname uniq unset unxz unzip update-rc.d uptime usleep
        userdel vi vim visudo vmstat w wait watch wc wget whatis who whoami write xxd xz yes zcat
        zip attrib bitsadmin certutil cmd cmd.exe cscript del dir echo ipconfig mshta net net.exe
        netsh powershell powershell.exe reg regsvr32 rundll32 sc schtasks systeminfo taskkill
        tasklist ver vssadmin wmic wscript cgminer dvrHelper iptables-save linuxshell lockr masscan
        minerd xmrig zmap
        """.split()  # noqa: SIM905  (a table to read)
    )
)

MODES: Final = frozenset(
    """
    +x +rwx a+x u+x ug+x a+rwx u+rwx go= 600 640 644 700 744 755 764 766 775 777 0600 0644 0700 0755
    0777 000 400 444 4755 6755
    """.split()  # noqa: SIM905
)
"""Operands of `chmod`."""
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
OPTIONS: Final = frozenset(f"-{letter}" for letter in _LETTERS) | frozenset(
    """
    - -- -al -la -lah -lh -ltr -lrt -lha -rf -fr -Rf -rR -ef -aux -ax -ia -ai -aui -iau +i -i +a -a
    -ne -en -nr -rn -sS -sL -fsSL -fsS -sSL -ks -kL -skL -qO -qO- -O- -nv -nc -np -tf -xf -xzf -xvf
    -zxf -zxvf -xvzf -czf -tulpn -tunlp -antp -anp -tlnp -ntlp -plnt -nlp -lp -iv -vE -oE -rl -9 -15
    -1 -exec -name -type -maxdepth -mtime -perm -user -delete -print -executable -newer -size -it /f
    /c /q /s /k /create /delete /query -enc -nop -noni -w -ep --help --version
    --no-check-certificate --quiet --silent --insecure --location --output --output-document
    --remote-name --recursive --force --all --stdin --noprofile --norc --login --no-cache --daemon
    --background --yes --no-install-recommends --max-time --connect-timeout --tries --timeout
    --post-data --post-file --data --header --user-agent --decode --line-buffered
    """.split()  # noqa: SIM905
)

TOOL_FOLDERS: Final = frozenset(
    "/bin /sbin /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin".split()  # noqa: SIM905
)
"""A command that is called by its path there is called by its name."""
PLACES: Final = frozenset(
    """
    / ~ ~/ . .. ./ ../ * /* ./* /tmp /tmp/ /var/tmp /var/tmp/ /var/run /var/run/ /var /var/ /var/log
    /var/log/ /mnt /mnt/ /root /root/ /home /home/ /opt /opt/ /etc /etc/ /usr /usr/ /usr/bin
    /usr/bin/ /usr/sbin /usr/local/bin /bin /bin/ /sbin /sbin/ /lib /dev /dev/ /dev/shm /dev/shm/
    /dev/null /dev/tty /dev/console /dev/watchdog /dev/misc/watchdog /dev/zero /dev/urandom /dev/tcp
    /dev/netslink /dev/netslink/ /data /data/local/tmp /data/local/tmp/ /boot /boot/ /run /sys /proc
    /proc/ /proc/1 /proc/self/exe /proc/cpuinfo /proc/meminfo /proc/mounts /proc/version
    /proc/uptime /proc/self/maps /proc/net/tcp /proc/net/route /proc/cmdline
    /proc/sys/vm/drop_caches /etc/passwd /etc/shadow /etc/group /etc/hosts /etc/hosts.deny
    /etc/hostname /etc/issue /etc/os-release /etc/resolv.conf /etc/crontab /etc/cron.d
    /etc/cron.daily /etc/cron.hourly /etc/rc.local /etc/rc.d/rc.local /etc/init.d /etc/profile
    /etc/ssh/sshd_config /etc/sudoers /etc/ld.so.preload /etc/ld.so.conf /etc/inittab /etc/fstab
    /etc/motd /etc/systemd/system /etc/redhat-release /etc/debian_version /etc/lsb-release
    /etc/*release /etc/*-release /bin/busybox /bin/sh /bin/bash /bin/ls /bin/echo /bin/cat /bin/ps
    /bin/login /usr/bin/python /usr/bin/perl /usr/bin/wget /usr/bin/curl /usr/bin/passwd
    /usr/sbin/sshd /sbin/init /var/spool/cron /var/spool/cron/ /var/spool/cron/root
    /var/spool/cron/crontabs /var/spool/cron/crontabs/root /var/log/wtmp /var/log/btmp
    /var/log/lastlog /var/log/secure /var/log/auth.log /var/log/messages /var/log/syslog /var/www
    /var/www/ /var/www/html .ssh .ssh/ ~/.ssh ~/.ssh/ /root/.ssh /root/.ssh/ .ssh/authorized_keys
    ~/.ssh/authorized_keys /root/.ssh/authorized_keys authorized_keys ~/.bashrc ~/.bash_history
    .bash_history .bashrc ~/.profile .profile ~/.bash_profile /root/.bash_history
    """.split()  # noqa: SIM905
)
"""Paths that are the same on every machine."""

VOCABULARY: Final = PLACEHOLDERS | OPERATORS | COMMANDS | MODES | OPTIONS | PLACES
