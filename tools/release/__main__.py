"""The command `python -m tools.release`: build a release, compare it with a second build, sign it, check it; what is known against it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from parvis_contract.card import Card

from .advisories import known_against, pinned_versions, read_advisories
from .sbom import bill, read_lock
from .wheels import ReleaseError, build_wheels, commit_time_s, differences, sha256

CHECKOUT = Path(__file__).parents[2]
SUMS = "SHA256SUMS"
#: What a signature of ours is for; one made for another purpose with the same key counts for nothing here.
NAMESPACE = "parvis-release"
#: What is run somewhere: a bill each.
SHIPPED = ("parvis-edge", "parvis-hub")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

Folder = Annotated[Path, typer.Option("--out", help="The release's folder.", metavar="DIR")]
Commit = Annotated[str, typer.Option(help="What is released: any name that git has for a commit.")]


@app.callback()
def _release() -> None:
    r"""Make a release that others can check: wheels, bills of materials (CycloneDX), checksums, a signature.

    \b
      python -m tools.release build --out dist
      python -m tools.release compare --out dist
      python -m tools.release sign --out dist --key release-key
      python -m tools.release verify --out dist --signers allowed_signers
      python -m tools.release audit --advisories all.zip
    """


@app.command()
def build(out: Folder = Path("dist"), commit: Commit = "HEAD") -> None:
    """Build the wheels of what is committed, and write a bill of materials of unit and hub and the checksums of all."""
    lock, made_s = read_lock(CHECKOUT / "requirements.lock"), commit_time_s(CHECKOUT, commit)
    if out.is_dir() and any(out.iterdir()):
        raise ReleaseError(f"{out}: is not empty; give a folder of its own")
    files = build_wheels(CHECKOUT, commit, out)
    cards = [Card.model_validate_json(path.read_bytes()) for path in sorted(CHECKOUT.glob("models/zoo/*/*/card.json"))]
    for name in SHIPPED:
        wheel = next(path for path in files if path.name.startswith(name.replace("-", "_")))
        path = out / f"{wheel.name.removesuffix('.whl')}.cdx.json"
        path.write_text(bill(wheel, name, lock, made_s, cards if name == "parvis-edge" else ()), encoding="utf-8")
        files.append(path)
    (out / SUMS).write_text("".join(f"{sha256(path)}  {path.name}\n" for path in sorted(files)), encoding="utf-8")
    for path in [*sorted(files), out / SUMS]:
        typer.echo(f"{path}  {path.stat().st_size:,} bytes")


@app.command()
def compare(out: Folder = Path("dist"), commit: Commit = "HEAD") -> None:
    """Build the wheels a second time elsewhere, and say whether they are the same to the byte; if not, what differs."""
    with tempfile.TemporaryDirectory() as scratch:
        differing = 0
        for second in build_wheels(CHECKOUT, commit, Path(scratch)):
            if not (out / second.name).is_file():
                raise ReleaseError(f"{out / second.name}: is not there; `python -m tools.release build` makes it")
            lines = differences(out / second.name, second)
            differing += bool(lines)
            typer.echo("\n    ".join([f"{second.name}: {'differs' if lines else 'the same'}  sha256 {sha256(second)}", *lines]))
    if differing:
        raise typer.Exit(1)


@app.command()
def sign(key: Annotated[Path, typer.Option(help="A private key of ssh-keygen, or its public part if an agent or token holds it.")],
         out: Folder = Path("dist")) -> None:  # fmt: skip
    """Sign the checksums with a key of OpenSSH (`ssh-keygen -t ed25519`), which may lie on a token (`-t ed25519-sk`)."""
    _ssh_keygen("-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(out / SUMS))


@app.command()
def verify(
    signers: Annotated[Path, typer.Option(help="Who may sign, as ssh-keygen reads it: a name and a public key a line.", metavar="FILE")],
    out: Folder = Path("dist"),
    signer: Annotated[str, typer.Option(help="The name in that file.")] = "release",
) -> None:
    """Check the signature, and that every file of the release is the one that was signed, and that there is no other."""
    signed = (out / SUMS).read_bytes()
    _ssh_keygen("-Y", "verify", "-f", str(signers), "-I", signer, "-n", NAMESPACE, "-s", str(out / f"{SUMS}.sig"), given=signed)
    sums = {name: digest for digest, name in (line.split("  ", 1) for line in signed.decode().splitlines())}
    there = {path.name for path in out.iterdir()} - {SUMS, f"{SUMS}.sig"}
    wrong = [f"{name}: is not there" for name in sorted(sums.keys() - there)]
    wrong += [f"{name}: nobody signed it" for name in sorted(there - sums.keys())]
    wrong += [f"{name}: is not the one that was signed" for name in sorted(there & sums.keys()) if sha256(out / name) != sums[name]]
    if wrong:
        raise ReleaseError("\n".join(wrong) + "\nuse nothing of it")
    typer.echo(f"signed by {signer}, {len(sums)} files as signed")


@app.command()
def audit(
    advisories: Annotated[Path, typer.Option(help="OSV's archive of advisories about PyPI's packages (PyPI/all.zip).", metavar="FILE")],
    lock: Annotated[Path, typer.Option(help="What is pinned.", metavar="FILE")] = CHECKOUT / "requirements.lock",
) -> None:
    """Say what a file of advisories knows against what is pinned, without the network; ends with 1 if it is anything."""
    pins, known = pinned_versions(lock.read_text(encoding="utf-8")), read_advisories(advisories)
    lines = known_against(pins, known)
    newest = max((advisory.get("modified", "") for advisory in known), default="")
    typer.echo("\n".join([*lines, f"{len(lines)} known against {len(pins)} pins, in {len(known)} advisories, the newest of {newest}"]))
    if lines:
        raise typer.Exit(1)


def _ssh_keygen(*arguments: str, given: bytes | None = None) -> None:
    try:
        done = subprocess.run(["ssh-keygen", *arguments], input=given, capture_output=True, check=False)
    except FileNotFoundError:
        raise ReleaseError("ssh-keygen is not here: apt install openssh-client") from None
    if done.returncode:
        raise ReleaseError((done.stderr + done.stdout).decode(errors="replace").strip())


def _main() -> NoReturn:
    try:
        app(standalone_mode=True)
    except (ReleaseError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(2) from None
    raise SystemExit(0)


if __name__ == "__main__":
    _main()
