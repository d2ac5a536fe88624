#!/usr/bin/env python3
"""Drives the daemon for half an hour as a supervisor, and says whether it was as good
at the end as at the beginning. Loopback only; needs nothing but Python and a release
build.

    cargo build --release --locked
    tests/soak.py target/release/linqsync               # 30 minutes
    tests/soak.py target/release/linqsync --minutes 1   # a look whether it works

It is systemd's end of NOTIFY_SOCKET with WATCHDOG_USEC, the network between the daemon
and `linqsync sandbox` (where answers get lost, connections break, and Linq is away for a
while), and the people who edit both sides. At first daemons are ended by SIGTERM in the
middle of a walk, of a push and of a replacement of the file: there the worker is halted
as soon as its temporary file appears, what stands in the directory is noted, and only
then comes the signal. Then one daemon lives on. At the end nothing is lost: both sides
are equal, and are what people made of them, and a run takes as much of the processor as
at the beginning. Figures come on standard output; anything that is not as it should be
ends it with 1.
"""

import argparse
import csv
import http.client
import io
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

TOKEN = "soak-token"
CONTACTS = "/api/partner/v2/contacts"
FIELDS = {"first_name": "First Name", "last_name": "Last Name", "email": "Email",
          "phone_number": "Phone", "company": "Company", "title": "Title"}
WATCHDOG = 20.0
SOON = 5.0
# Replaced versions of the file are kept for ten minutes.
SETTLED_AFTER = 630.0
RUNS_COMPARED = 50


def check(good, what):
    if not good:
        raise AssertionError(what)


def wait_until(what, condition, patience=90.0):
    deadline = time.monotonic() + patience
    while not condition():
        check(time.monotonic() < deadline, f"waited {patience:.0f} s in vain until {what}")
        time.sleep(0.005)


class Network(threading.Thread):
    """What lies between the daemon and Linq: relays requests, one at a time on each
    connection, and loses some of the answers."""

    def __init__(self, linq, chance):
        super().__init__(daemon=True)
        self.linq, self.chance, self.random = linq, chance, random.Random(chance)
        self.faulty, self.away, self.hold = False, False, None
        self.seen, self.lost = {"walk": 0, "push": 0}, 0
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        self.start()

    def run(self):
        while True:
            caller, _ = self.door.accept()
            threading.Thread(target=self.relay, args=(caller,), daemon=True).start()

    def relay(self, caller):
        try:
            with caller, caller.makefile("rb") as said:
                while not self.away and self.pass_on(caller, said):
                    pass
        except (OSError, ValueError, http.client.HTTPException):
            pass

    def pass_on(self, caller, said):
        """Passes one request on. False where the connection ends."""
        method, path, _ = said.readline().decode().split(" ", 2)
        headers = http.client.parse_headers(said)
        body = said.read(int(headers.get("content-length", 0)))
        kind = "push" if method != "GET" else "walk" if "page=" in path else ""
        if kind:
            self.seen[kind] += 1
            if self.hold == kind:
                time.sleep(1.5)
        fault = self.faulty and self.random.random() < self.chance
        if self.away or (fault and self.random.random() < 0.5):
            self.lost += 1
            return False
        linq = http.client.HTTPConnection("127.0.0.1", self.linq, timeout=30)
        kept = {name: value for name, value in headers.items() if name.lower() != "accept-encoding"}
        linq.request(method, path, body or None, kept)
        answer = linq.getresponse()
        text = answer.read()
        linq.close()
        if self.away or fault:
            self.lost += 1
            return False
        head = f"HTTP/1.1 {answer.status} {answer.reason}\r\ncontent-length: {len(text)}\r\n"
        content = answer.headers.get("content-type", "application/json")
        caller.sendall((head + f"content-type: {content}\r\n\r\n").encode() + text)
        return True


class Supervisor(threading.Thread):
    """systemd's end of the socket."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.words, self.fed, self.gap = path, [], None, 0.0
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.start()

    def run(self):
        while True:
            words = self.socket.recv(65536).decode().splitlines()
            now = time.monotonic()
            if "WATCHDOG=1" in words:
                self.gap = max(self.gap, now - (self.fed or now))
                self.fed = now
            self.words.extend(word for word in words if word != "WATCHDOG=1")

    def count(self, word):
        return sum(1 for said in list(self.words) if said.startswith(word))

    def status(self):
        said = [word for word in list(self.words) if word.startswith("STATUS=")]
        return said[-1] if said else ""


class World:
    """Both sides, the daemon between them, and what people have made of it."""

    def __init__(self, program, directory, people, chance):
        self.program, self.dir = os.path.abspath(program), directory
        self.csv = os.path.join(directory, "contacts.csv")
        self.random, self.people = random.Random(people), people
        self.edits, self.daemon, self.ends, self.hits = 0, None, [], {}
        with open(os.open(self.path("linq.token"), os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(TOKEN)
        self.linq = self.start_sandbox()
        self.network = Network(self.linq, chance)
        self.systemd = Supervisor(self.path("notify"))
        self.configure("every 2s")
        rows = [[f"First{n}", f"Last{n}", f"p{n}@people.example", f"+1415555{n:04}", f"Company {n}",
                 f"Title {n}"] for n in range(people)]
        self.save([list(FIELDS.values())] + rows)
        self.truth = {row[2]: dict(zip(FIELDS, row)) for row in rows}

    def path(self, name):
        return os.path.join(self.dir, name)

    def start_sandbox(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        arguments = ["sandbox", "--listen", f"127.0.0.1:{port}", "--token", TOKEN]
        with open(self.path("sandbox.log"), "w") as log:
            self.sandbox = subprocess.Popen([self.program, *arguments], stdout=log, stderr=log)
        wait_until("the sandbox listens", lambda: not socket.socket().connect_ex(("127.0.0.1", port)))
        return port

    def configure(self, schedule, more=""):
        text = f'''linq.base_url = "http://127.0.0.1:{self.network.port}"
linq.token_file = "linq.token"
linq.requests_per_second = 1000
linq.max_attempts = 4
linq.settle = "500ms"
linq.timeout = "10s"
source.path = "contacts.csv"
source.quiet = "0s"
state.dir = "state"
sync.schedule = "{schedule}"
sync.max_deletes = 1000
'''
        with open(self.path("sync.toml"), "w") as file:
            file.write(text + more)

    # People.

    def rows(self):
        with open(self.csv, newline="") as file:
            before = os.fstat(file.fileno())
            return list(csv.reader(io.StringIO(file.read()))), before

    def save(self, rows, before=None):
        """As an editor that replaces the file; False if somebody else was faster."""
        draft = self.path("draft")
        with open(draft, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        if before:
            now = os.stat(self.csv)
            if (now.st_ino, now.st_mtime_ns) != (before.st_ino, before.st_mtime_ns):
                return False
        os.replace(draft, self.csv)
        return True

    def ask_linq(self, method, path="", body=None):
        linq = http.client.HTTPConnection("127.0.0.1", self.linq, timeout=30)
        headers = {"X-LINQ-INTEGRATION-TOKEN": TOKEN, "Content-Type": "application/json"}
        linq.request(method, CONTACTS + path, json.dumps(body) if body else None, headers)
        answer = linq.getresponse()
        text = answer.read()
        linq.close()
        check(answer.status < 300, f"{method} {path}: {answer.status} {text[:200]}")
        return json.loads(text) if text else None

    def everybody_in_linq(self):
        everybody, page = [], 1
        while True:
            answer = self.ask_linq("GET", f"?page={page}&per_page=100")
            everybody += answer["contacts"]
            if page >= answer["pagination"]["total_pages"]:
                return everybody
            page += 1

    def edit_source(self):
        """A new title, a new person, or one less, in the file: there are never many more
        or fewer than in the beginning."""
        rows, before = self.rows()
        what, mail = self.random.random(), self.random.choice(sorted(self.truth))
        self.edits += 1
        name = f"edit {self.edits}"
        present = any(row[2] == mail for row in rows)
        if what < 0.85 and present:
            for row in rows[1:]:
                if row[2] == mail:
                    row[5] = name
            change = {**self.truth[mail], "title": name}
        elif len(self.truth) <= self.people or not present:
            mail = f"s{self.edits}@people.example"
            row = [f"New{self.edits}", "Source", mail, "", "", name]
            rows.append(row)
            change = dict(zip(FIELDS, row))
        elif any(contact["email"] == mail for contact in self.everybody_in_linq()) \
                and self.settled(mail):
            rows = [row for row in rows if row[2] != mail]
            change = None
        else:
            return
        if self.save(rows, before):
            self.remember(mail, change)

    def settled(self, mail):
        """Whether both sides show of somebody what people made of them: an edit beats a
        deletion, so that only then a deletion stands."""
        contact = [c for c in self.everybody_in_linq() if c["email"] == mail]
        rows, _ = self.rows()
        wanted = self.shown(self.truth[mail])
        return any(tuple(row) == wanted for row in rows) and self.shown(contact[0]) == wanted

    @staticmethod
    def shown(contact):
        return tuple(contact.get(field) or "" for field in FIELDS)

    def edit_linq(self):
        """A new company, or a new person, in Linq: fields that nobody edits in the file."""
        contacts = {contact["email"]: contact for contact in self.everybody_in_linq()}
        known = sorted(contacts.keys() & self.truth.keys())
        self.edits += 1
        name = f"edit {self.edits}"
        if (self.random.random() < 0.95 or len(self.truth) > self.people) and known:
            mail = self.random.choice(known)
            body = {"contact": {"company": name, "email": mail}}
            self.ask_linq("PATCH", f"/{contacts[mail]['id']}", body)
            self.remember(mail, {**self.truth[mail], "company": name})
        else:
            mail = f"l{self.edits}@people.example"
            change = {"first_name": f"New{self.edits}", "last_name": "Linq", "email": mail,
                      "phone_number": "", "company": name, "title": ""}
            self.ask_linq("POST", "", {"contact": {k: v for k, v in change.items() if v}})
            self.remember(mail, change)

    def remember(self, mail, change):
        if change is None:
            del self.truth[mail]
        else:
            self.truth[mail] = change

    # The daemon.

    def start(self):
        environment = {"HOME": self.dir, "PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": self.systemd.path,
                       "WATCHDOG_USEC": str(int(WATCHDOG * 1e6))}
        ready = self.systemd.count("READY=1")
        self.systemd.fed = None
        with open(self.path("daemon.log"), "a") as log:
            self.daemon = subprocess.Popen([self.program, "-v"], cwd=self.dir, env=environment,
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until("it is ready", lambda: self.systemd.count("READY=1") > ready)

    def end(self, where):
        began = time.monotonic()
        self.daemon.send_signal(signal.SIGTERM)
        code = self.daemon.wait(30)
        took = time.monotonic() - began
        self.ends.append((where, took))
        check(code == 0 and took < SOON, f"SIGTERM in {where}: exit {code} after {took:.1f} s")

    def workers(self):
        path = f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children"
        try:
            with open(path) as file:
                return [pid for pid in file.read().split() if b"\0worker\0" in command_line(pid)]
        except OSError:
            return []

    def once(self):
        run = subprocess.run([self.program, "--once", "--json"], cwd=self.dir, timeout=300,
                             env={"HOME": self.dir}, capture_output=True, text=True)
        return json.loads(run.stdout)

    def settle(self, what):
        """A run after which nothing is open."""
        self.network.faulty, self.network.hold = False, None
        run, tries = self.once(), 0
        while run["outcome"] != "clean" and tries < 3:
            tries, run = tries + 1, self.once()
        check(run["outcome"] == "clean", f"{what}: {json.dumps(run)}")
        self.expect_equal(what)

    def expect_equal(self, what):
        rows, _ = self.rows()
        source = sorted(tuple(row) for row in rows[1:])
        linq = sorted(self.shown(contact) for contact in self.everybody_in_linq())
        truth = sorted(self.shown(person) for person in self.truth.values())
        for name, side in (("the source", source), ("Linq", linq)):
            wrong = set(side) ^ set(truth)
            check(not wrong and len(side) == len(truth), f"{what}: {name} has {sorted(wrong)[:6]}")

    def usage(self):
        """Resident memory in KiB, of that its own, and open descriptors."""
        with open(f"/proc/{self.daemon.pid}/status") as file:
            status = dict(line.split(":", 1) for line in file)
        memory = [int(status[name].split()[0]) for name in ("VmRSS", "RssAnon")]
        return [*memory, len(os.listdir(f"/proc/{self.daemon.pid}/fd"))]

    def processor_time(self):
        with open(f"/proc/{self.daemon.pid}/stat") as file:
            columns = file.read().rsplit(") ", 1)[1].split()
        return sum(map(int, columns[11:15])) / os.sysconf("SC_CLK_TCK")

    def hit(self, where):
        """A daemon was ended there; the next run is clean."""
        if where:
            self.hits[where] = self.hits.get(where, 0) + 1
        self.start()
        self.settle(f"after SIGTERM in: {where}")
        self.end("rest")

    def runs(self):
        state = sqlite3.connect(f"file:{self.path('state/state.db')}?mode=ro", uri=True)
        rows = state.execute("SELECT id, started_at, finished_at FROM runs ORDER BY id").fetchall()
        state.close()
        return rows


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


class Onlooker(threading.Thread):
    """Counts workers all the time: there is never more than one."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.most = world, 0
        self.start()

    def run(self):
        while True:
            self.most = max(self.most, len(self.world.workers()))
            time.sleep(0.02)


def end_in_the_middle(world, where):
    """SIGTERM in a walk or a push, and a clean run after it."""
    world.start()
    world.network.hold, so_far = where, world.network.seen[where]
    world.edit_source()
    wait_until(where, lambda: world.network.seen[where] > so_far)
    check(world.workers(), f"nobody is at work in a {where}")
    world.end(where)
    world.network.hold = None
    world.hit(where)


class Replacement:
    """The instants of a replacement of the source, as its directory shows them."""

    def __init__(self, world):
        self.world = world
        self.before, self.file = self.drafts(), os.stat(world.csv).st_ino

    def drafts(self):
        ours = os.path.join(self.world.dir, ".linqsync")
        return set(os.listdir(ours)) if os.path.isdir(ours) else set()

    def instant(self):
        """None before and after it."""
        endings = {name.rsplit(".", 1)[1] for name in self.drafts() - self.before}
        exchanged = os.stat(self.world.csv).st_ino != self.file
        if "swap" in endings:
            return "exchanged" if exchanged else "written"
        return "begun" if "part" in endings else None


def end_in_a_replacement(world, wanted, ending):
    """SIGTERM while the worker is halted within a replacement of the file, and a clean
    run after it. It is wound up in the time that is left (`released`), or the worker is
    killed where it is (`killed`). Says whether it was halted where it was `wanted`."""
    world.start()
    wait_until("nobody is at work", lambda: not world.workers())
    replacement, worker = Replacement(world), 0
    world.edit_linq()
    deadline = time.monotonic() + 20
    while replacement.instant() not in (wanted, "exchanged") and time.monotonic() < deadline:
        worker = int((world.workers() or [worker])[0])
    found = halt(worker) and replacement.instant()
    if not found:
        resume(worker)
        world.end("rest")
        world.hit(None)
        return False
    stopping = world.systemd.count("STOPPING=1")
    where = f"replacement, {found}, {ending}"
    if ending == "released":
        def release():
            wait_until("it stops", lambda: world.systemd.count("STOPPING=1") > stopping)
            check(replacement.instant() == found, "the halted worker went on")
            resume(worker)
        threading.Thread(target=release, daemon=True).start()
    world.end(where)
    check(not is_halted(worker), f"the worker outlives its daemon: {where}")
    world.hit(where)
    return found == wanted


def halt(process):
    """Halts it. False if it is gone."""
    try:
        os.kill(process, signal.SIGSTOP)
    except (ProcessLookupError, PermissionError):
        return False
    while process_state(process) not in "TZ?":
        pass
    return is_halted(process)


def resume(process):
    try:
        if process:
            os.kill(process, signal.SIGCONT)
    except ProcessLookupError:
        pass


def is_halted(process):
    return process_state(process) == "T"


def process_state(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(") ", 1)[1][0]
    except OSError:
        return "?"


def ends(world, rounds):
    """Daemons that are ended by SIGTERM in the middle of something."""
    for _ in range(rounds):
        for where in ("walk", "push"):
            end_in_the_middle(world, where)
    for wanted in ("begun", "exchanged"):
        for ending in ("released", "killed"):
            # The worker is halted as soon as its file is seen, which may be too late.
            hits = sum(end_in_a_replacement(world, wanted, ending) for _ in range(rounds))
            tries = 0
            while wanted == "begun" and not hits:
                tries += 1
                check(tries < 20, f"no replacement was {wanted} when its worker was halted")
                hits += end_in_a_replacement(world, wanted, ending)
    for where in ("walk", "push", "replacement"):
        check(any(hit.startswith(where) for hit in world.hits), f"no SIGTERM hit a {where}")


def live(world, minutes):
    """One daemon, with all that happens to it. Returns the figures."""
    world.start()
    world.settle("the first run")
    time.sleep(3)
    first, samples = world.usage(), []
    began = time.monotonic()
    points = [(len(world.runs()), world.processor_time(), 0)]
    end, turn = began + minutes * 60, 0
    while time.monotonic() < end:
        turn += 1
        world.network.faulty = turn % 3 == 0
        for _ in range(world.random.randrange(1, 4)):
            (world.edit_source if world.random.random() < 0.5 else world.edit_linq)()
            time.sleep(world.random.random())
        if turn % 9 == 5:
            reload(world, turn)
        if turn % 40 == 20:
            outage(world)
        if turn % 10 == 0:
            world.settle(f"turn {turn}")
            samples.append(world.usage())
        points.append((len(world.runs()), world.processor_time(), time.monotonic() - began))
    world.settle("the end")
    time.sleep(3)
    last = world.usage()
    check(last[0] <= first[0] * 1.1, f"memory grew from {first[0]} to {last[0]} KiB")
    check(abs(last[2] - first[2]) <= 2, f"{first[2]} descriptors became {last[2]}")
    world.end("idle")
    most = max(sample[0] for sample in [*samples, last])
    early, late, compared = processor_per_run(points)
    check(compared < RUNS_COMPARED or late <= early * 1.5,
          f"a run took {early:.1f} ms of the processor, and takes {late:.1f} ms")
    return {"resident_own_descriptors_first": first, "resident_own_descriptors_last": last,
            "resident_most_kib": most, "turns": turn,
            "live_runs": points[-1][0] - points[0][0], "runs_compared": compared,
            "processor_ms_per_run_first": round(early, 1),
            "processor_ms_per_run_last": round(late, 1)}


def processor_per_run(points):
    """What a run takes of the processor, of the daemon and of its workers, among the first
    50 runs and among the last 50, in milliseconds; and how many runs that were. Versions of
    the file that were replaced stay for ten minutes, and each run looks through them: after
    that, as many go as come."""
    points = [point for point in points if point[2] > SETTLED_AFTER] or points
    (first, began, _), (last, ended, _) = points[0], points[-1]
    compared = max(1, min(RUNS_COMPARED, (last - first) // 2))
    early = next(point for point in points if point[0] >= first + compared)
    late = next(point for point in reversed(points) if point[0] <= last - compared)
    return ((early[1] - began) / (early[0] - first) * 1e3,
            (ended - late[1]) / (last - late[0]) * 1e3, compared)


def reload(world, turn):
    """SIGHUP, with a good configuration and with a bad one."""
    reloading = world.systemd.count("RELOADING=1")
    bad = "nonsense = 1\n" if turn % 2 == 0 else ""
    world.configure("every 3s" if turn % 4 == 1 else "every 2s", bad)
    ready = world.systemd.count("READY=1")
    world.daemon.send_signal(signal.SIGHUP)
    wait_until("it reloads", lambda: world.systemd.count("RELOADING=1") > reloading)
    wait_until("it is ready again", lambda: world.systemd.count("READY=1") > ready)
    world.configure("every 2s")


def outage(world):
    """Linq is away, comes back, and is found again: in its time, or because somebody asks."""
    world.network.away = True
    world.edit_source()
    wait_until("it is told", lambda: "Linq down since" in world.systemd.status())
    time.sleep(5)
    world.network.away, world.network.faulty = False, False
    if world.random.random() < 0.5:
        world.once()
    wait_until("Linq is found again", lambda: "contacts in sync" in world.systemd.status())


def finish(world, onlooker, figures, took):
    runs = world.runs()
    ended = [(start, end) for _, start, end in runs if end is not None]
    parallel = sum(1 for before, after in zip(ended, ended[1:]) if after[0] < before[1])
    check(parallel == 0 and onlooker.most <= 1, f"{parallel} runs in parallel, {onlooker.most} workers")
    check(world.systemd.gap < WATCHDOG, f"the watchdog was not fed for {world.systemd.gap:.1f} s")
    for word in ("READY=1", "STATUS=", "RELOADING=1", "MONOTONIC_USEC=", "STOPPING=1",
                 "EXTEND_TIMEOUT_USEC="):
        check(world.systemd.count(word), f"systemd was never told {word}")
    slowest = {}
    for where, seconds in world.ends:
        slowest[where] = max(slowest.get(where, 0), round(seconds, 2))
    print(json.dumps({
        "minutes": round(took / 60, 1), "edits": world.edits, "people": len(world.truth),
        "runs": len(runs), "runs_without_an_end": len(runs) - len(ended),
        "requests": world.network.seen, "requests_or_answers_lost": world.network.lost,
        "reloads": world.systemd.count("RELOADING=1"),
        "longest_without_watchdog_s": round(world.systemd.gap, 2),
        "sigterm_hit": world.hits, "slowest_end_s": slowest, **figures,
    }, indent=2))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    arguments.add_argument("program")
    arguments.add_argument("--minutes", type=float, default=30)
    arguments.add_argument("--people", type=int, default=200)
    arguments.add_argument("--chance", type=float, default=0.06, help="of losing a request or answer")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="linqsync-soak-") as directory:
        world, began = World(given.program, directory, given.people, given.chance), time.monotonic()
        try:
            world.start()
            world.settle("the first run of all")
            world.end("rest")
            onlooker = Onlooker(world)
            ends(world, max(1, int(given.minutes / 5)))
            figures = live(world, max(0.3, given.minutes - (time.monotonic() - began) / 60))
            finish(world, onlooker, figures, time.monotonic() - began)
        except BaseException:
            with open(world.path("daemon.log")) as log:
                sys.stderr.write("".join(log.readlines()[-40:]))
            raise
        finally:
            for process in (world.daemon, world.sandbox):
                if process and process.poll() is None:
                    process.kill()


if __name__ == "__main__":
    main()
