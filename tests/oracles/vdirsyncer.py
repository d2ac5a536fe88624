"""Three programs on one directory of cards: vdirsyncer, which keeps it the same as a
CardDAV server, linqsync, which keeps it the same as Linq, and people.

    pip install vdirsyncer radicale
    python3 tests/oracles/vdirsyncer.py LINQSYNC

Radicale and `linqsync sandbox` listen on loopback; everything else is in a temporary
directory. Contacts are created, edited and deleted at all three places, and deletions are
undone, first one program at a time and then both at once. Ends with 1 if the places are
not the same in the end, if an edit is lost, if two cards have one UID, if vdirsyncer sees
anything that is no card, or if a run without edits writes anything. It is not part of
the tests of the project, since it needs Python's packages.
"""

import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

TOKEN = "oracle-token"
BIN = pathlib.Path(sys.executable).parent


def card(uid, first, last, title):
    return (f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nN:{last};{first};;;\r\nFN:{first} {last}\r\n"
            f"EMAIL;TYPE=INTERNET:{first.lower()}@{last.lower()}.example\r\nTITLE:{title}\r\n"
            f"NOTE:{first}'s note\\, kept as it is\r\nX-OWN;X-P=\"a;b\":kept\r\nEND:VCARD\r\n")


class Linq:
    def __init__(self, binary):
        self.process = subprocess.Popen(
            [binary, "sandbox", "--listen", "127.0.0.1:0", "--contacts", "0", "--token", TOKEN],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                self.url = found.group()
                return
        raise SystemExit("the sandbox does not start")

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.url}/api/partner/v2/contacts{path}", method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"X-LINQ-INTEGRATION-TOKEN": TOKEN, "Content-Type": "application/json"})
        return json.loads(urllib.request.urlopen(request).read() or b"null")

    def contacts(self):
        return {c["email"]: c for c in self.ask("GET", "?page=1&per_page=100")["contacts"]}

    def edit(self, email, **members):
        contact = self.contacts()[email]
        self.ask("PATCH", f"/{contact['id']}", {"contact": {"email": email, **members}})

    def titles(self):
        return {email: contact["title"] for email, contact in self.contacts().items()}


class CardDav:
    def __init__(self, work):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        config = work / "radicale.conf"
        config.write_text(f"[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = none\n[storage]\n"
                          f"filesystem_folder = {work}/radicale\n[logging]\nlevel = error\n")
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([BIN / "radicale", "--config", config])
        for _ in range(200):
            try:
                self.ask("MKCOL", "/book/", '<?xml version="1.0"?><mkcol xmlns="DAV:" '
                         'xmlns:C="urn:ietf:params:xml:ns:carddav"><set><prop><resourcetype>'
                         '<collection/><C:addressbook/></resourcetype></prop></set></mkcol>')
                return
            except urllib.error.URLError:
                time.sleep(0.1)
        raise SystemExit("radicale does not start")

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.url}/ann{path}", method=method, data=body.encode() if body else None,
            headers={"Authorization": "Basic YW5uOmFubg==", "Content-Type": "text/vcard", "Depth": "1"})
        return urllib.request.urlopen(request).read().decode()

    def cards(self):
        names = re.findall(r"<href>/ann(/book/[^<]+)</href>", self.ask("PROPFIND", "/book/"))
        return {name: self.ask("GET", name) for name in names}

    def name_of(self, email):
        return next(name for name, text in self.cards().items() if email in text)

    def edit(self, email, old, new):
        name = self.name_of(email)
        text = self.cards()[name]
        assert old in text, text
        self.ask("PUT", name, text.replace(old, new))

    def titles(self):
        return titles(self.cards().values())


def titles(cards):
    found = {}
    for text in cards:
        email = re.search(r"EMAIL[^:]*:(\S+)", text).group(1)
        title = re.search(r"TITLE:([^\r\n]*)", text)
        found[email] = title.group(1) if title else None
    return found


class Directory:
    def __init__(self, work):
        self.path = work / "cards" / "book"
        self.path.mkdir(parents=True)

    def cards(self):
        return {path: path.read_bytes().decode() for path in self.path.glob("*.vcf")}

    def file_of(self, email):
        return next(path for path, text in self.cards().items() if email in text)

    def edit(self, email, old, new):
        path = self.file_of(email)
        text = path.read_bytes().decode()
        assert old in text, text
        path.write_bytes(text.replace(old, new).encode())

    def titles(self):
        return titles(self.cards().values())

    def others(self):
        """What lies in it besides cards."""
        return sorted(path.name for path in self.path.iterdir() if path not in self.cards())


class World:
    def __init__(self, binary, work):
        self.binary = binary
        self.linq, self.dav, self.directory = Linq(binary), CardDav(work), Directory(work)
        self.config = work / "sync.toml"
        self.config.write_text(
            f'[linq]\nbase_url = "{self.linq.url}"\ntoken = "{TOKEN}"\nrequests_per_second = 1000\n'
            f'[source]\nkind = "vcard"\npath = "{self.directory.path}"\n'
            f'[state]\ndir = "{work}/state"\n')
        self.config.chmod(0o600)
        self.vdir = work / "vdirsyncer.conf"
        self.vdir.write_text(
            f'[general]\nstatus_path = "{work}/status"\n[pair book]\na = "here"\nb = "there"\n'
            f'collections = ["book"]\n[storage here]\ntype = "filesystem"\npath = "{work}/cards"\n'
            f'fileext = ".vcf"\n[storage there]\ntype = "carddav"\nurl = "{self.dav.url}/"\n'
            f'username = "ann"\npassword = "ann"\n')
        self.vdirsyncer("discover", "book").wait()

    def vdirsyncer(self, *arguments):
        process = subprocess.Popen([BIN / "vdirsyncer", "-c", self.vdir, *arguments], stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            process.stdin.write(b"y\n" * 9)
            process.stdin.close()
        except BrokenPipeError:
            pass
        process.stdin = None
        return process

    def linqsync(self, *arguments):
        return subprocess.Popen([self.binary, "-c", self.config, *(arguments or ["--once"]), "--json"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ended(self, process):
        """What a program says, which must be no complaint."""
        out, error = process.communicate()
        error = error.decode()
        assert process.returncode == 0, error + (out or b"").decode()
        for complaint in ("multiple items", "Multiple items", "ambiguous", ".linqsync"):
            assert complaint not in error, error
        return json.loads(out) if out else None

    def turn(self):
        """Each program once, one after the other, until all have seen everything. Returns
        what linqsync's runs changed."""
        runs = []
        for _ in range(2):
            self.ended(self.vdirsyncer("sync"))
            runs.append(self.ended(self.linqsync()))
        self.ended(self.vdirsyncer("sync"))
        return runs

    def at_once(self):
        # Either may meet what the other is writing, and says so; the next turn is clean.
        for process in [self.vdirsyncer("sync"), self.linqsync()]:
            process.communicate()

    def expect(self, wanted, what):
        places = {"Linq": self.linq.titles(), "CardDAV": self.dav.titles(), "directory": self.directory.titles()}
        for place, found in places.items():
            assert found == wanted, f"{what}: {place} has {found}, not {wanted}"
        for place, cards in {"CardDAV": self.dav.cards(), "directory": self.directory.cards()}.items():
            uids = [re.search(r"UID:(\S+)", text).group(1) for text in cards.values()]
            assert len(uids) == len(set(uids)) == len(wanted), f"{what}: {place} has {sorted(uids)}"
        assert self.directory.others() in ([], [".linqsync"]), self.directory.others()
        for text in [*self.dav.cards().values(), *self.directory.cards().values()]:
            if "UID:linqsync-" not in text:
                assert "note\\, kept as it is" in text and 'X-OWN;X-P="a;b":kept' in text.replace("\r\n ", ""), text
        print(f"{what}: {len(wanted)} contacts, the same at all three places")


def play(world):
    for first, last in [("Ada", "King"), ("Bo", "Wang"), ("Cy", "Young")]:
        world.dav.ask("PUT", f"/book/{first}.vcf", card(f"uid-{first}", first, last, "First"))
    world.turn()
    wanted = {"ada@king.example": "First", "bo@wang.example": "First", "cy@young.example": "First"}
    world.expect(wanted, "created over CardDAV")

    world.dav.edit("ada@king.example", "TITLE:First", "TITLE:Over CardDAV")
    world.directory.edit("bo@wang.example", "TITLE:First", "TITLE:By hand")
    world.linq.edit("cy@young.example", title="In Linq")
    world.dav.ask("PUT", "/book/Dee.vcf", card("uid-Dee", "Dee", "Dunn", "New there"))
    (world.directory.path / "eve.vcf").write_bytes(card("uid-Eve", "Eve", "Ely", "New here").encode())
    world.linq.ask("POST", "", {"contact": {"first_name": "Fay", "last_name": "Fox", "email": "fay@fox.example",
                                            "title": "New in Linq"}})
    world.turn()
    wanted = {"ada@king.example": "Over CardDAV", "bo@wang.example": "By hand", "cy@young.example": "In Linq",
              "dee@dunn.example": "New there", "eve@ely.example": "New here", "fay@fox.example": "New in Linq"}
    world.expect(wanted, "edited and created at three places")

    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in world.directory.cards()}
    contacts = world.linq.contacts()
    world.turn()
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in world.directory.cards()}
    assert contacts == world.linq.contacts()
    print("without edits nothing is written anywhere")

    # One after the other, and each comes back by an undo of the run that carried it on.
    deletions = {
        "CardDAV": ("ada@king.example", lambda email: world.dav.ask("DELETE", world.dav.name_of(email))),
        "the directory": ("bo@wang.example", lambda email: world.directory.file_of(email).unlink()),
        "Linq": ("fay@fox.example", lambda email: world.linq.ask("DELETE", f"/{contacts[email]['id']}")),
    }
    for place, (email, delete) in deletions.items():
        delete(email)
        runs = world.turn()
        title = wanted.pop(email)
        world.expect(wanted, f"deleted in {place}")
        run = next(run["run"] for run in runs if run["linq"]["deleted"] + run["source"]["deleted"])
        world.ended(world.linqsync("undo", str(run)))
        world.turn()
        wanted[email] = title
        world.expect(wanted, f"deleted in {place} and put back by an undo")

    contacts = world.linq.contacts()
    world.dav.ask("DELETE", world.dav.name_of("ada@king.example"))
    world.directory.file_of("bo@wang.example").unlink()
    world.linq.ask("DELETE", f"/{contacts['fay@fox.example']['id']}")
    world.turn()
    for gone in ("ada@king.example", "bo@wang.example", "fay@fox.example"):
        del wanted[gone]
    world.expect(wanted, "deleted at three places")

    people = sorted(wanted)
    for number in range(12):
        email, place = people[number % 3], (number // 3 + number) % 3
        old, new = f"TITLE:{wanted[email]}", f"Round {number}"
        if place == 0:
            world.linq.edit(email, title=new)
        else:
            (world.dav if place == 1 else world.directory).edit(email, old, f"TITLE:{new}")
        wanted[email] = new
        world.at_once()
        # Who of the two was first is not known: each goes once more before the next edit.
        world.turn()
        world.expect(wanted, f"both at once, round {number}")


def main():
    with tempfile.TemporaryDirectory() as work:
        world = World(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(work))
        try:
            play(world)
        finally:
            world.linq.process.kill()
            world.dav.process.kill()
    print("all is well")


main()
