"""ESC-50 and FSD50K are folders made here: the data sets themselves have not been at hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aed_daemon.errors import AudioError
from model_tools.data.esc10 import read_esc10
from model_tools.data.esc50 import read_esc50
from model_tools.data.folders import read_folders, read_table, slug_of
from model_tools.data.fsd50k import read_fsd50k
from model_tools.data.layouts import read_data, recognised

ESC50_HEAD = "filename,fold,target,category,esc10,src_file,take\n"


def table(root: Path) -> Path:
    return root / "meta" / "esc50.csv"


@pytest.fixture
def esc50(tmp_path: Path) -> Path:
    root = tmp_path / "ESC-50"
    rows = [
        ("1-100032-A-0.wav", 1, 0, "dog", "True"),
        ("2-40730-A-0.wav", 2, 0, "dog", "True"),
        ("2-77-A-30.wav", 2, 30, "door_wood_knock", "False"),
        ("5-78-B-30.wav", 5, 30, "door_wood_knock", "False"),
        # Under CC Sampling+ in ESC-10.
        ("1-40730-A-11.wav", 1, 11, "sea_waves", "True"),
    ]
    (root / "audio").mkdir(parents=True)
    (root / "meta").mkdir()
    for name, *_ in rows:
        (root / "audio" / name).touch()
    lines = "".join(",".join(map(str, (*row, "1", "A"))) + "\n" for row in rows)
    table(root).write_text(ESC50_HEAD + lines)
    return root


@pytest.fixture
def fsd50k(tmp_path: Path) -> Path:
    root = tmp_path / "FSD50K"
    for name in ("FSD50K.ground_truth", "FSD50K.dev_audio", "FSD50K.eval_audio", "FSD50K.metadata"):
        (root / name).mkdir(parents=True)
    (root / "FSD50K.ground_truth" / "vocabulary.csv").write_text(
        "0,Bark,/m/05tny_\n1,Rain,/m/06mb1\n2,Church_bell,/m/0gy1t2s\n3,Waves_and_surf,/m/034srq\n4,Tick-tock,/m/07qjznl\n"
        "5,Sneeze,/m/01hsr_\n6,Chicken_and_rooster,/m/09b5t\n7,Crackle,/m/07pzfmf\n8,Animal,/m/0jbk\n"
    )
    dev = [
        ("64760", "Bark,Animal", "train"),
        ("16399", "Rain", "val"),
        ("16401", "Bark,Rain", "train"),
        ("16402", "Church_bell", "train"),
    ]
    (root / "FSD50K.ground_truth" / "dev.csv").write_text(
        "fname,labels,mids,split\n" + "".join(f'{name},"{labels}",x,{split}\n' for name, labels, split in dev)
    )
    (root / "FSD50K.ground_truth" / "eval.csv").write_text('fname,labels,mids\n37199,"Bark,Animal",x\n')
    for name in ("64760", "16399", "16401", "16402"):
        (root / "FSD50K.dev_audio" / f"{name}.wav").touch()
    (root / "FSD50K.eval_audio" / "37199.wav").touch()
    info = {
        "64760": {"uploader": "anna", "license": "http://creativecommons.org/licenses/by-nc/3.0/"},
        "16399": {"uploader": "bert", "license": "http://creativecommons.org/publicdomain/zero/1.0/"},
        "16402": {"uploader": "anna", "license": "http://example.org/mine"},
    }
    (root / "FSD50K.metadata" / "dev_clips_info_FSD50K.json").write_text(json.dumps(info))
    return root


def test_esc50_by_table(esc50: Path) -> None:
    clips = read_esc50(esc50)
    assert [(clip.slug, clip.fold, clip.source) for clip in clips] == [
        ("dog", 1, "100032"),
        ("dog", 2, "40730"),
        ("door_wood_knock", 2, "77"),
        ("door_wood_knock", 5, "78"),
    ]
    assert [clip.licence for clip in clips] == ["CC-BY-3.0", "CC-BY-3.0", "CC-BY-NC-3.0", "CC-BY-NC-3.0"]
    assert {clip.collection for clip in clips} == {"esc50"}


def test_esc50_by_folders(tmp_path: Path) -> None:
    for folder, name in (("101 - Dog", "1-5-A.ogg"), ("203 - Crackling fire", "4-6-B.ogg")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch()
    clips = read_esc50(tmp_path)
    assert [(clip.slug, clip.fold, clip.source) for clip in clips] == [
        ("dog", 1, "5"),
        ("crackling_fire", 4, "6"),
    ]
    assert {clip.licence for clip in clips} == {"CC-BY-NC-3.0"}
    assert recognised(tmp_path) == "esc50"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda root: (root / "audio" / "2-77-A-30.wav").unlink(),
            r"2-77-A-30\.wav: a file of the table is missing",
        ),
        (
            lambda root: table(root).write_text(ESC50_HEAD + "1-5-A-0.wav,2,0,dog,True,5,A\n"),
            r"esc50\.csv:2: fold and file name disagree: expected fold 1.*got 2",
        ),
        (
            lambda root: table(root).write_text("filename,fold\n"),
            r"esc50\.csv: the table of ESC-50 lacks a column: expected .*category, got filename, fold",
        ),
        (
            lambda root: table(root).write_text(ESC50_HEAD + "bark.wav,2,0,dog,True,5,A\n"),
            r"bark\.wav: not a file name of ESC-50: expected FOLD-ID-TAKE-CLASS, got bark",
        ),
    ],
)
def test_a_faulty_esc50_is_named(esc50: Path, change: object, says: str) -> None:
    assert callable(change)
    change(esc50)
    with pytest.raises(AudioError, match=says):
        read_esc50(esc50)


def test_a_folder_that_is_not_esc50_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="not an ESC-50 folder"):
        read_esc50(tmp_path)


def test_esc10_tells_the_licence_of_each_clip(tmp_path: Path) -> None:
    for number in range(1, 11):
        (tmp_path / f"{number:03d} - X").mkdir()
    for name in ("1-5-A.ogg", "1-6-A.ogg", "1-7-A.ogg"):
        (tmp_path / "001 - X" / name).touch()
    (tmp_path / "LICENSES-AND-SOURCES.txt").write_text(
        "001 - Dog bark:\n- [1-5-A.ogg]: clip derived from x.wav (http://x) by y [CC0]\n"
        "- [1-6-A.ogg]:  clip derived from x.wav (http://x) by y [z] [CC-BY]\n"
    )
    assert [clip.licence for clip in read_esc10(tmp_path)] == ["CC0-1.0", "CC-BY-3.0", "CC-BY-3.0"]


def test_fsd50k_by_label(fsd50k: Path) -> None:
    clips, findings = read_fsd50k(fsd50k, {"Bark": "dog", "Rain": "rain"})
    assert [(clip.path.stem, clip.slug, clip.fold, clip.source, clip.licence) for clip in clips] == [
        ("64760", "dog", 1, "uploader:anna", "CC-BY-NC-3.0"),
        ("16399", "rain", 2, "uploader:bert", "CC0-1.0"),
        ("37199", "dog", 3, "37199", "unknown"),
    ]
    assert [finding.what for finding in findings] == ["holds dog and rain"]
    assert findings[0].where.endswith("16401.wav")


def test_fsd50k_classes_may_name_labels(fsd50k: Path) -> None:
    reading = read_data(fsd50k, classes=["bell=Church_bell"])
    assert reading.layout == "fsd50k"
    assert [(clip.slug, clip.licence) for clip in reading.clips] == [("bell", "unknown")]
    assert {clip.slug for clip in read_data(fsd50k).clips} == {"dog", "rain"}
    with pytest.raises(AudioError, match=r"FSD50K has no label Church.*such as Church_bell.*got Church"):
        read_data(fsd50k, classes=["bell=Church"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda root: (root / "FSD50K.dev_audio" / "64760.wav").unlink(),
            r"64760\.wav: a file of the table is missing",
        ),
        (
            lambda root: (root / "FSD50K.ground_truth" / "dev.csv").write_text(
                'fname,labels,split\n1,"Bark",test\n'
            ),
            r"dev\.csv:2: not a split: expected train or val, got test",
        ),
        (
            lambda root: (root / "FSD50K.ground_truth" / "eval.csv").write_text("fname\n"),
            r"eval\.csv: the table lacks the column labels",
        ),
        (
            lambda root: (root / "FSD50K.metadata" / "dev_clips_info_FSD50K.json").write_text("{"),
            r"dev_clips_info_FSD50K\.json: damaged metadata: expected JSON",
        ),
    ],
)
def test_a_faulty_fsd50k_is_named(fsd50k: Path, change: object, says: str) -> None:
    assert callable(change)
    change(fsd50k)
    with pytest.raises(AudioError, match=says):
        read_fsd50k(fsd50k)


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "c.wav"):
        (tmp_path / name).touch()
    (tmp_path / "sounds.csv").write_text(
        "\ufefffile,label,fold,source,licence\na.wav,Door bell,1,kitchen,CC0-1.0\n"
        "b.wav,door bell,,kitchen,\nc.wav,background,2,,\n",
        encoding="utf-8",
    )
    clips = read_table(tmp_path / "sounds.csv")
    assert [(clip.slug, clip.fold, clip.source, clip.licence) for clip in clips] == [
        ("door_bell", 1, "kitchen", "CC0-1.0"),
        ("door_bell", 0, "kitchen", "unknown"),
        ("", 2, "c", "unknown"),
    ]
    assert read_data(tmp_path).clips == clips
    assert read_data(tmp_path / "sounds.csv", classes=["door bell"]).clips == clips


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,class\na.wav,x\n", r"lacks the column label: expected a first line `file,label`"),
        ("", r"lacks the column file.*got an empty file"),
        ("file,label\n", r"the table is empty: expected a line per sound, got only the header"),
        (
            "file,label\nno.wav,x\n",
            r"sounds\.csv:2: no such file: expected .*no\.wav, got nothing\. Files are",
        ),
        ("file,label\na.wav,x\n,x\n", r"sounds\.csv:3: no such file: expected a file name"),
        ("file,label,fold\na.wav,x,one\n", r"sounds\.csv:2: not a fold: expected a whole number, .*got one"),
        ("file,label\na.wav,…\n", r"…: a label without Latin letters or digits"),
    ],
)
def test_a_faulty_table_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "sounds.csv").write_text(text, encoding="utf-8")
    with pytest.raises(AudioError, match=says):
        read_table(tmp_path / "sounds.csv")


def test_a_table_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "sounds.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AudioError, match=r"sounds\.csv: cannot read the table: expected CSV in UTF-8"):
        read_data(tmp_path)


def test_a_folder_per_class(tmp_path: Path) -> None:
    for name in (
        "Door Bell/a.wav",
        "Door Bell/more/b.FLAC",
        "background/c.ogg",
        "Säge/d.mp3",
        "Säge/notes.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    clips = read_folders(tmp_path)
    assert [(clip.path.name, clip.slug, clip.source) for clip in clips] == [
        ("a.wav", "door_bell", "Door Bell/a"),
        ("b.FLAC", "door_bell", "Door Bell/more/b"),
        ("d.mp3", "sage", "Säge/d"),
        ("c.ogg", "", "background/c"),
    ]
    assert recognised(tmp_path) == "folders"


def test_classes_are_chosen_and_negatives_stay(tmp_path: Path) -> None:
    for name in ("a/1.wav", "b/2.wav", "background/3.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [clip.slug for clip in read_data(tmp_path, classes=["b"]).clips] == ["b", ""]
    with pytest.raises(AudioError, match="no sounds of the class c: expected a, b, got c"):
        read_data(tmp_path, classes=["a", "c"])
    with pytest.raises(AudioError, match="not a class"):
        read_data(tmp_path, classes=[""])


def test_layouts_are_recognised(tiny_data: Path, esc50: Path, fsd50k: Path) -> None:
    assert recognised(tiny_data) == "esc10"
    assert recognised(tiny_data / "esc10") == "esc10"
    assert len(read_data(tiny_data).clips) == len(read_data(tiny_data / "esc10", "esc10").clips) == 20
    assert recognised(esc50) == "esc50"
    assert recognised(fsd50k) == "fsd50k"


def test_what_is_not_recognised_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"no data set is recognised.*got an empty folder.*--layout"):
        read_data(tmp_path)
    with pytest.raises(AudioError, match="no such data"):
        read_data(tmp_path / "nowhere")
    with pytest.raises(AudioError, match="no sounds: expected a folder per class"):
        read_data(tmp_path, "folders")
    with pytest.raises(AudioError, match=r"which table.*got none"):
        read_data(tmp_path, "csv")


@pytest.mark.parametrize(
    ("label", "slug"), [("Crying baby", "crying_baby"), (" Tür-Klingel ", "tur_klingel"), ("", "")]
)
def test_slugs(label: str, slug: str) -> None:
    assert slug_of(label) == slug
