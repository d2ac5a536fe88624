//! The words of which whole names are made besides the names themselves.
//!
//! Owns the tables alone: forms of address, suffixes, particles, legal forms, and surnames
//! of two characters. Leaves to [`super`] what they do to a name.

/// Forms of address and degrees before a name, in lower case and without a final dot.
pub(super) const PREFIXES: &[&str] = &[
    "dr",
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "mister",
    "madam",
    "madame",
    "prof",
    "professor",
    "doctor",
    "sir",
    "dame",
    "messrs",
    "herr",
    "frau",
    "hr",
    "fr",
    "dipl.-ing",
    "dipl",
    "mme",
    "mlle",
    "monsieur",
    "mademoiselle",
    "maître",
    "señor",
    "señora",
    "señorita",
    "srta",
    "sra",
    "dra",
    "sr",
    "dña",
    "sig",
    "sig.ra",
    "sig.na",
    "signor",
    "signora",
    "dott",
    "dott.ssa",
    "avv",
    "ing",
    "mag",
    "arch",
    "dhr",
    "mevr",
    "mw",
    "drs",
    "ir",
    "pan",
    "pani",
    "gospodin",
    "г-н",
    "г-жа",
    "rev",
    "reverend",
    "hon",
    "capt",
    "captain",
    "col",
    "colonel",
    "lt",
    "lieutenant",
    "sgt",
    "maj",
    "gen",
    "cmdr",
    "adm",
];

/// Those of [`PREFIXES`] that are first names or initials as well: they count only with a dot.
pub(super) const ONLY_WITH_DOT: &[&str] = &[
    "fr", "hr", "sr", "ing", "mag", "arch", "sig", "ir", "hon", "col", "gen", "maj", "adm", "rev",
    "dipl", "pan", "capt", "sgt", "lt",
];

/// Forms of address that stand in a column of their own besides [`PREFIXES`].
pub(super) const OTHER_FORMS_OF_ADDRESS: &[&str] = &[
    "m",
    "mm",
    "messrs",
    "dr. med",
    "dr med",
    "prof. dr",
    "prof dr",
    "dr. mr",
    "mr. dr",
    "mr. and mrs",
    "mr & mrs",
    "mr and mrs",
    "mr. & mrs",
    "dr. & mrs",
    "doña",
    "frk",
    "fru",
    "rouva",
    "vážený pan",
    "bay",
    "bayan",
    "様",
    "さん",
    "先生",
    "女士",
    "小姐",
    "님",
    "씨",
];

/// What follows a name, in lower case and without dots.
pub(super) const SUFFIXES: &[&str] = &[
    "jr", "sr", "junior", "senior", "jnr", "snr", "ii", "iii", "iv", "vi", "vii", "2nd", "3rd",
    "4th", "esq", "esquire", "phd", "dphil", "edd", "psyd", "pharmd", "mdphd", "ret",
];

/// Degrees and honours, which count only in capitals: in other letters they may be names.
pub(super) const CAPITAL_SUFFIXES: &[&str] = &[
    "MD", "DO", "DDS", "DMD", "DVM", "RN", "NP", "JD", "LLM", "LLB", "MBA", "MPH", "MSC", "MSW",
    "LCSW", "CPA", "CFA", "CFP", "PMP", "PE", "RA", "AIA", "CISSP", "OBE", "CBE", "MBE", "KBE",
    "QC", "KC", "MP", "FRCS", "USN", "USMC", "USAF", "PHD", "SPHR", "SHRM",
];

/// Words that belong to the last name before which they stand.
pub(super) const PARTICLES: &[&str] = &[
    "van", "von", "vom", "zu", "zum", "zur", "der", "den", "dem", "ter", "ten", "te", "de", "del",
    "della", "dello", "dei", "degli", "delle", "dalla", "di", "da", "do", "dos", "das", "du",
    "des", "la", "le", "las", "los", "el", "al", "bin", "ibn", "bint", "binti", "ben", "bat",
    "abu", "af", "av", "op", "'t", "’t", "in", "st.", "st", "saint", "san", "santa", "mac", "o",
    "d'", "d’", "zu", "und", "och", "ap",
];

/// Particles that count only in lower case: otherwise they are names or initials.
pub(super) const ONLY_IN_LOWER_CASE: &[&str] = &[
    "te", "in", "o", "op", "af", "av", "ben", "bat", "st", "san", "santa", "mac", "al", "und",
    "och", "do", "des", "den", "dem", "ap", "abu",
];

/// Words between two parts of one last name: `Ortega y Gasset`.
pub(super) const CONNECTORS: &[&str] = &["y", "e", "i"];

/// What the name of an organisation ends with.
pub(super) const LEGAL_FORMS: &[&str] = &[
    "inc",
    "llc",
    "ltd",
    "limited",
    "corp",
    "corporation",
    "company",
    "co",
    "gmbh",
    "ag",
    "kg",
    "ohg",
    "ug",
    "e.v",
    "ev",
    "plc",
    "llp",
    "lp",
    "pty",
    "s.a",
    "sa",
    "sarl",
    "s.a.r.l",
    "sas",
    "s.a.s",
    "s.l",
    "s.r.l",
    "srl",
    "spa",
    "s.p.a",
    "bv",
    "b.v",
    "nv",
    "n.v",
    "oy",
    "oyj",
    "ab",
    "a/s",
    "aps",
    "asa",
    "sp. z o.o",
    "z o.o",
    "s.r.o",
    "kft",
    "zrt",
    "ооо",
    "foundation",
    "university",
    "gbr",
    "kk",
    "k.k",
];

/// Legal forms that count only in capitals, or with a dot: otherwise they may be names.
pub(super) const ONLY_AS_FORM: &[&str] =
    &["co", "ag", "kg", "sa", "lp", "ab", "ev", "spa", "sas", "kk", "ug", "oy", "nv", "bv"];

/// Surnames of two characters, Chinese and Korean.
pub(super) const DOUBLE_SURNAMES: &[&str] = &[
    "欧阳", "歐陽", "司马", "司馬", "诸葛", "諸葛", "上官", "司徒", "东方", "東方", "独孤", "獨孤",
    "南宫", "南宮", "夏侯", "皇甫", "尉迟", "尉遲", "公孙", "公孫", "慕容", "令狐", "宇文", "长孙",
    "長孫", "司空", "端木", "轩辕", "軒轅", "남궁", "황보", "제갈", "사공", "선우", "서문", "독고",
    "동방", "어금", "망절",
];

/// Common Japanese surnames of two characters, by which names of three are parted.
pub(super) const JAPANESE_SURNAMES: &[&str] = &[
    "佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "渡邊", "渡邉", "山本", "中村", "小林", "加藤",
    "吉田", "山田", "佐々", "山口", "松本", "井上", "木村", "清水", "山崎", "池田", "橋本", "阿部",
    "石川", "山下", "中島", "石井", "小川", "前田", "岡田", "藤田", "後藤", "近藤", "村上", "遠藤",
    "青木", "坂本", "斎藤", "斉藤", "齋藤", "福田", "太田", "西村", "藤井", "金子", "岡本", "藤原",
    "三浦", "中野", "中川", "松田", "竹内", "小野", "田村", "中山", "和田", "石田", "森田", "上田",
    "原田", "内田", "柴田", "酒井", "宮崎", "横山", "高木", "安藤", "宮本", "大野", "小島", "谷口",
    "今井", "高田", "丸山", "増田", "杉山", "村田", "大塚", "新井", "小山", "平野", "藤本", "河野",
    "上野", "野口", "武田", "松井", "千葉", "岩崎", "菅原", "木下", "久保", "佐野", "野村", "松尾",
    "市川", "菊地", "菊池", "杉本", "古川", "大西", "島田", "水野", "桜井", "高野", "吉川", "山内",
    "西田", "飯田", "西川", "小松", "北村", "安田", "五十", "川口", "平田", "関口", "中田", "久保",
    "服部", "東野", "川崎", "岩田", "土屋", "福島", "本田", "辻本", "樋口", "秋山", "田口", "永井",
    "山中", "中西", "吉村", "川上", "石原", "大橋", "松岡", "浜田", "馬場", "森本", "矢野", "浅野",
    "松下", "星野", "大久",
];
