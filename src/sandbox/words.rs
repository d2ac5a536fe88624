//! The words of which invented people are made.
//!
//! Owns lists of ordinary given and family names in several scripts, each with
//! the ASCII letters it has in an e-mail address, and of companies, titles and
//! places. Leaves combining them to [`super::contacts`].

/// A name and its ASCII spelling.
pub(super) type SpelledName = (&'static str, &'static str);

/// Given and family names that go together.
pub(super) struct NameScript {
    pub(super) given: &'static [SpelledName],
    pub(super) family: &'static [SpelledName],
}

/// Latin letters, many with accents.
pub(super) const LATIN: NameScript = NameScript {
    given: &[
        ("Amélie", "amelie"),
        ("Anders", "anders"),
        ("Ángela", "angela"),
        ("Beatriz", "beatriz"),
        ("Bjørn", "bjoern"),
        ("Brendan", "brendan"),
        ("Çağla", "cagla"),
        ("Cecilia", "cecilia"),
        ("Chloë", "chloe"),
        ("Dagný", "dagny"),
        ("Dario", "dario"),
        ("Đorđe", "djordje"),
        ("Eleanor", "eleanor"),
        ("Élise", "elise"),
        ("Esteban", "esteban"),
        ("Fátima", "fatima"),
        ("Florian", "florian"),
        ("Grace", "grace"),
        ("Güneş", "gunes"),
        ("Hanna", "hanna"),
        ("Håkon", "haakon"),
        ("Ines", "ines"),
        ("Jan-Erik", "jan-erik"),
        ("Jérôme", "jerome"),
        ("José", "jose"),
        ("Kateřina", "katerina"),
        ("Liam", "liam"),
        ("Łucja", "lucja"),
        ("Márta", "marta"),
        ("Naomi", "naomi"),
        ("Niamh", "niamh"),
        ("Oisín", "oisin"),
        ("Pernille", "pernille"),
        ("Rosalind", "rosalind"),
        ("Søren", "soeren"),
        ("Thảo", "thao"),
        ("Ulrike", "ulrike"),
        ("Victor", "victor"),
        ("Zoë", "zoe"),
        ("Žofie", "zofie"),
    ],
    family: &[
        ("Abernathy", "abernathy"),
        ("Ångström", "angstrom"),
        ("Arslan-Demir", "arslan-demir"),
        ("Bączek", "baczek"),
        ("Bergmann", "bergmann"),
        ("Brännlund", "brannlund"),
        ("Castañeda", "castaneda"),
        ("Černý", "cerny"),
        ("de la Cruz", "delacruz"),
        ("Delacroix", "delacroix"),
        ("D'Amico", "damico"),
        ("Eriksen", "eriksen"),
        ("Fernández", "fernandez"),
        ("Fitzgerald", "fitzgerald"),
        ("García Ruiz", "garciaruiz"),
        ("Großmann", "grossmann"),
        ("Håkansson", "hakansson"),
        ("Hollingsworth", "hollingsworth"),
        ("Ionescu", "ionescu"),
        ("Jørgensen", "joergensen"),
        ("Kaplan", "kaplan"),
        ("Kovács", "kovacs"),
        ("Lefèvre", "lefevre"),
        ("MacDonald", "macdonald"),
        ("McAllister", "mcallister"),
        ("Müller", "mueller"),
        ("Nguyễn", "nguyen"),
        ("Nowakowski", "nowakowski"),
        ("O'Sullivan", "osullivan"),
        ("Öztürk", "ozturk"),
        ("Peña", "pena"),
        ("Quigley", "quigley"),
        ("Rossi", "rossi"),
        ("Sæther", "saether"),
        ("Santos Oliveira", "santosoliveira"),
        ("Þórsson", "thorsson"),
        ("van den Berg", "vandenberg"),
        ("Wójcik", "wojcik"),
        ("Yıldız", "yildiz"),
        ("Zürcher", "zuercher"),
    ],
};

/// Greek letters.
pub(super) const GREEK: NameScript = NameScript {
    given: &[
        ("Ελένη", "eleni"),
        ("Γιώργος", "giorgos"),
        ("Δήμητρα", "dimitra"),
        ("Κώστας", "kostas"),
        ("Μαρία", "maria"),
        ("Νίκος", "nikos"),
        ("Σοφία", "sofia"),
        ("Χρήστος", "christos"),
        ("Αγγελική", "angeliki"),
        ("Θανάσης", "thanasis"),
    ],
    family: &[
        ("Αντωνίου", "antoniou"),
        ("Βασιλείου", "vasileiou"),
        ("Γεωργίου", "georgiou"),
        ("Δημητρίου", "dimitriou"),
        ("Ιωάννου", "ioannou"),
        ("Κωνσταντίνου", "konstantinou"),
        ("Νικολάου", "nikolaou"),
        ("Οικονόμου", "oikonomou"),
        ("Παπαδάκης", "papadakis"),
        ("Στεφανίδης", "stefanidis"),
    ],
};

/// Cyrillic letters.
pub(super) const CYRILLIC: NameScript = NameScript {
    given: &[
        ("Анна", "anna"),
        ("Богдан", "bohdan"),
        ("Василина", "vasylyna"),
        ("Галина", "halyna"),
        ("Дмитро", "dmytro"),
        ("Елена", "elena"),
        ("Йосиф", "yosyf"),
        ("Людмила", "lyudmila"),
        ("Марко", "marko"),
        ("Тетяна", "tetyana"),
    ],
    family: &[
        ("Бондаренко", "bondarenko"),
        ("Василев", "vasilev"),
        ("Григорьев", "grigoryev"),
        ("Јовановић", "jovanovic"),
        ("Коваленко", "kovalenko"),
        ("Лисенко", "lysenko"),
        ("Мельник", "melnyk"),
        ("Петрова", "petrova"),
        ("Соколова", "sokolova"),
        ("Шевчук", "shevchuk"),
    ],
};

/// Han characters, as in Chinese names.
pub(super) const CHINESE: NameScript = NameScript {
    given: &[
        ("伟", "wei"),
        ("秀英", "xiuying"),
        ("建国", "jianguo"),
        ("美玲", "meiling"),
        ("志明", "zhiming"),
        ("雅婷", "yating"),
        ("俊杰", "junjie"),
        ("淑芬", "shufen"),
        ("思远", "siyuan"),
        ("晓雪", "xiaoxue"),
    ],
    family: &[
        ("王", "wang"),
        ("李", "li"),
        ("张", "zhang"),
        ("刘", "liu"),
        ("陳", "chen"),
        ("楊", "yang"),
        ("黃", "huang"),
        ("趙", "zhao"),
        ("吳", "wu"),
        ("欧阳", "ouyang"),
    ],
};

/// Kanji and kana, as in Japanese names.
pub(super) const JAPANESE: NameScript = NameScript {
    given: &[
        ("陽子", "yoko"),
        ("健太", "kenta"),
        ("さくら", "sakura"),
        ("大輔", "daisuke"),
        ("ひろみ", "hiromi"),
        ("直樹", "naoki"),
        ("恵", "megumi"),
        ("エリカ", "erika"),
        ("翔", "sho"),
        ("千尋", "chihiro"),
    ],
    family: &[
        ("佐藤", "sato"),
        ("鈴木", "suzuki"),
        ("高橋", "takahashi"),
        ("田中", "tanaka"),
        ("渡辺", "watanabe"),
        ("伊藤", "ito"),
        ("山本", "yamamoto"),
        ("中村", "nakamura"),
        ("小林", "kobayashi"),
        ("加藤", "kato"),
    ],
};

/// Arabic letters, written from right to left.
pub(super) const ARABIC: NameScript = NameScript {
    given: &[
        ("أحمد", "ahmad"),
        ("ليلى", "layla"),
        ("يوسف", "yusuf"),
        ("نور", "nour"),
        ("خالد", "khalid"),
        ("مريم", "maryam"),
        ("سامي", "sami"),
        ("هدى", "huda"),
        ("طارق", "tariq"),
        ("زينب", "zaynab"),
    ],
    family: &[
        ("الحداد", "haddad"),
        ("المصري", "masri"),
        ("الخطيب", "khatib"),
        ("النجار", "najjar"),
        ("منصور", "mansour"),
        ("القاسم", "qasim"),
        ("العلي", "alali"),
        ("درويش", "darwish"),
        ("سليمان", "sulayman"),
        ("بركات", "barakat"),
    ],
};

/// Hebrew letters, written from right to left.
pub(super) const HEBREW: NameScript = NameScript {
    given: &[
        ("אבנר", "avner"),
        ("דפנה", "dafna"),
        ("איתן", "eitan"),
        ("נועה", "noa"),
        ("יעל", "yael"),
        ("עומר", "omer"),
        ("רות", "ruth"),
        ("גדעון", "gideon"),
        ("תמר", "tamar"),
        ("מיכל", "michal"),
    ],
    family: &[
        ("כהן", "cohen"),
        ("לוי", "levi"),
        ("מזרחי", "mizrahi"),
        ("פרידמן", "friedman"),
        ("ביטון", "biton"),
        ("דהן", "dahan"),
        ("אזולאי", "azoulay"),
        ("שפירא", "shapira"),
        ("ברק", "barak"),
        ("אלון", "alon"),
    ],
};

/// Reserved for documentation (RFC 2606): no mail arrives there.
pub(super) const DOMAINS: [&str; 5] =
    ["example.com", "example.org", "example.net", "mail.example.com", "office.example.org"];

/// The first halves of companies.
pub(super) const COMPANY_NAMES: [&str; 16] = [
    "Alder",
    "Birchwood",
    "Cobalt",
    "Dovetail",
    "Évora",
    "Foxglove",
    "Granite",
    "Harbor",
    "Ibex",
    "Juniper",
    "Kestrel",
    "Lumen",
    "Meridian",
    "Nordlys",
    "Opal",
    "Pöschl",
];

/// The second halves of companies.
pub(super) const COMPANY_KINDS: [&str; 14] = [
    "& Co.",
    "AG",
    "Analytics, Inc.",
    "Foods",
    "GmbH",
    "Health",
    "Labs",
    "Logistics Ltd",
    "Outfitters",
    "Partners LLP",
    "S.A.",
    "Software",
    "Studio",
    "Works",
];

/// Titles, some with characters that CSV has to quote.
pub(super) const TITLES: [&str; 16] = [
    "Account Executive",
    "CEO",
    "CTO",
    "Chef de projet",
    "Designer",
    "Director, Sales",
    "Geschäftsführerin",
    "Head of \"Special\" Projects",
    "Nurse",
    "Office Manager",
    "Partner",
    "Principal Engineer",
    "R&D Lead",
    "Realtor®",
    "VP Marketing",
    "Volunteer",
];

/// Places, as "City, ST".
pub(super) const LOCATIONS: [&str; 14] = [
    "Albuquerque, NM",
    "Austin, TX",
    "Boise, ID",
    "Boston, MA",
    "Chicago, IL",
    "Denver, CO",
    "Honolulu, HI",
    "Miami, FL",
    "Minneapolis, MN",
    "New York, NY",
    "Portland, OR",
    "San Francisco, CA",
    "Seattle, WA",
    "St. John's, NL",
];
