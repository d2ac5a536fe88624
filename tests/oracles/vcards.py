"""Reads a directory of cards with Python's vobject, and compares with linqsync.

    pip install vobject khard
    python3 tests/oracles/vcards.py LINQSYNC DIRECTORY [-n COUNT]

For each file of one card that vobject can read: a state is made in a temporary
directory, the card is synchronised with `linqsync sandbox`, and what the sandbox holds
is compared with what vobject reads. Then contacts are made in the sandbox, and the cards
that linqsync writes for them are read with vobject and listed by khard, which must show
every one by its name. Ends with 1 if something differs.
It is not part of the tests of the project, since it needs Python's packages.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

import vobject

TOKEN = "oracle-token"


def start(binary, contacts):
    sandbox = subprocess.Popen(
        [binary, "sandbox", "--listen", "127.0.0.1:0", "--contacts", str(contacts), "--token", TOKEN],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in sandbox.stdout:
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        if found:
            return sandbox, found.group()
    raise SystemExit("the sandbox does not start")


def contacts(url):
    people, page = [], 1
    while True:
        request = urllib.request.Request(
            f"{url}/api/partner/v2/contacts?page={page}&per_page=100",
            headers={"X-LINQ-INTEGRATION-TOKEN": TOKEN})
        answer = json.load(urllib.request.urlopen(request))
        people += answer["contacts"]
        if page >= answer["pagination"]["total_pages"]:
            return people
        page += 1


def sync(binary, directory, url):
    with tempfile.TemporaryDirectory() as state:
        config = pathlib.Path(state, "sync.toml")
        config.write_text(
            f'[linq]\nbase_url = "{url}"\ntoken = "{TOKEN}"\nrequests_per_second = 1000\n'
            f'[source]\npath = "{directory}"\nkind = "vcard"\n[state]\ndir = "{state}/state"\n')
        config.chmod(0o600)
        return subprocess.run([binary, "-c", config, "--once", "--json"], capture_output=True, text=True)


def read(path):
    text = path.read_bytes().decode("utf-8")
    cards = list(vobject.readComponents(text, allowQP=True))
    if len(cards) != 1 or not hasattr(getattr(getattr(cards[0], "n", None), "value", None), "given"):
        raise ValueError("not one card with a name")
    return cards[0]


def listed_by_khard(directory):
    """The names that khard shows for the cards of a directory, and what it complains of."""
    with tempfile.TemporaryDirectory() as work:
        config = pathlib.Path(work, "khard.conf")
        config.write_text(f"[addressbooks]\n[[cards]]\npath = {directory}\n[general]\n"
                          "debug = no\n[contact table]\ndisplay = formatted_name\n")
        khard = pathlib.Path(sys.executable).parent / "khard"
        listed = subprocess.run([khard, "-c", config, "list", "--parsable", "--fields", "uid,formatted_name"],
                                capture_output=True, text=True)
        lines = (line.split("\t") for line in listed.stdout.splitlines())
        return {uid: name for uid, name, *_ in lines}, listed.stderr


def text(value):
    return ",".join(value) if isinstance(value, list) else (value or "")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary")
    arguments.add_argument("directory", type=pathlib.Path)
    arguments.add_argument("-n", type=int, default=200, help="how many cards linqsync writes")
    arguments = arguments.parse_args()
    wrong = compared = unread = 0
    sandbox, url = start(arguments.binary, 0)
    with tempfile.TemporaryDirectory() as work:
        expected = {}
        for number, path in enumerate(sorted(arguments.directory.rglob("*.vcf"))):
            try:
                card = read(path)
            except Exception:
                unread += 1
                continue
            name = card.n.value
            given, family = text(name.given), text(name.family)
            if given or family:
                shutil.copy(path, pathlib.Path(work, f"{number}.vcf"))
                org = card.org.value[0] if hasattr(card, "org") and card.org.value else ""
                expected[number] = (given, family, org)
        for number, (given, family, org) in expected.items():
            with tempfile.TemporaryDirectory() as one:
                shutil.copy(pathlib.Path(work, f"{number}.vcf"), one)
                before = {person["id"] for person in contacts(url)}
                run = sync(arguments.binary, one, url)
                new = [person for person in contacts(url) if person["id"] not in before]
                found = [((p["first_name"] or ""), (p["last_name"] or ""), (p["company"] or "")) for p in new]
                compared += 1
                strip = lambda triple: tuple(part.strip() for part in triple)
                if found and strip((given, family, org)) not in map(strip, found):
                    wrong += 1
                    print(f"card {number}: vobject and linqsync differ")
                elif not found and run.returncode not in (0, 3):
                    wrong += 1
                    print(f"card {number}: linqsync ended with {run.returncode}")
    sandbox.kill()
    sandbox, url = start(arguments.binary, arguments.n)
    with tempfile.TemporaryDirectory() as made:
        sync(arguments.binary, made, url)
        people = {f"linqsync-{p['id']}": p for p in contacts(url)}
        files = list(pathlib.Path(made).glob("*.vcf"))
        for path in files:
            card = read(path)
            person = people[card.uid.value]
            if (text(card.n.value.given), text(card.n.value.family)) != (
                    person["first_name"] or "", person["last_name"] or "") or not card.fn.value:
                wrong += 1
                print(f"{path.name}: vobject reads another name")
            card.validate(raiseException=True)
        shown, complaints = listed_by_khard(made)
        for uid, person in people.items():
            name = " ".join(filter(None, [person["first_name"], person["last_name"]]))
            if name and shown.get(uid) != name or not shown.get(uid):
                wrong += 1
                print(f"{uid}: khard shows another name, or none")
        print(f"khard lists {len(shown)} of {len(files)} cards {complaints.strip()}")
        if len(files) != arguments.n:
            wrong += 1
            print(f"{len(files)} cards for {arguments.n} contacts")
    sandbox.kill()
    print(f"{compared} cards compared, {unread} that vobject cannot read, {len(files)} written, {wrong} wrong")
    return wrong > 0


sys.exit(main())
