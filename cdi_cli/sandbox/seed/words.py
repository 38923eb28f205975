"""Raw material: names in many scripts, cities, goods. Invented people, real-looking spellings."""

from __future__ import annotations

NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "de": (
        ("Jürgen", "Käthe", "Lukas", "Mia", "Björn", "Zoë", "Anneliese", "Paul"),
        ("Müller", "Groß", "Weiß", "von der Heide", "Öztürk", "Schäfer", "Nowak", "Meier-Lüdenscheidt"),
    ),
    "fr": (
        ("Amélie", "François", "Éloïse", "Jean-Luc", "Noémie", "Cédric", "Inès"),
        ("Lefèvre", "D'Artagnan", "Bœuf", "Château", "N'Guyen", "Dupont", "Le Gall"),
    ),
    "es": (
        ("José", "Begoña", "Íñigo", "María del Mar", "Ángel", "Lucía"),
        ("Muñoz", "García Márquez", "Ibáñez", "Peña y Núñez", "Castaño"),
    ),
    "nl": (
        ("Daniël", "Sanne", "Thijs", "Anouk", "Joris"),
        ("van 't Hoff", "de Vries", "IJsselstein", "van den Berg", "Coördes"),
    ),
    "en": (
        ("Siobhán", "Olivia", "Noah", "Aoife", "Zach", "Chloe", "Renée", "Lil' Kim"),
        ("O'Connor", "Smith-Jones", "MacDonald", "Null", "Nguyễn", "Łukasiewicz", "de la Cruz"),
    ),
    "ja": (
        ("陽菜", "蓮", "美咲", "大翔", "さくら", "ケンジ"),
        ("佐藤", "髙橋", "渡邉", "小林", "齋藤"),
    ),
    "ar": (
        ("فاطمة", "محمد", "نورة", "عبد الله", "ليلى"),
        ("العنزي", "المطيري", "الصباح", "الرشيدي"),
    ),
}
"""Language -> (first names, last names)."""

CITIES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "DE": (("Berlin", "10115", "BE"), ("München", "80331", "BY"), ("Köln", "50667", "NW"), ("Görlitz", "02826", "SN")),
    "FR": (("Paris", "75001", ""), ("Orléans", "45000", ""), ("L'Haÿ-les-Roses", "94240", "")),
    "ES": (("Málaga", "29001", "MA"), ("A Coruña", "15001", "C"), ("Barcelona", "08001", "B")),
    "NL": (("'s-Hertogenbosch", "5211", "NB"), ("Utrecht", "3511", "UT")),
    "GB": (("London", "SW1A 1AA", ""), ("Llanfairpwllgwyngyll", "LL61 5UJ", ""), ("Leeds", "LS1 4AP", "")),
    "US": (("Portland", "97201", "OR"), ("Cañon City", "81212", "CO"), ("New York", "10001", "NY")),
    "JP": (("千代田区", "100-0001", "東京都"), ("大阪市", "530-0001", "大阪府")),
    "KW": (("الكويت", "13001", ""), ("السالمية", "20001", "")),
}
"""Country -> (city, postal code, state)."""

STREETS = (
    "Hauptstraße",
    "Rue de l'Église",
    "Calle Año Nuevo",
    "High Street",
    "Main St",
    "Sint Jansplein",
    "桜通り",
    "شارع الخليج",
)

CATEGORY_TREE: dict[str, dict[str, tuple[str, ...]]] = {
    "Clothing": {"Tops": ("T-Shirts", "Knitwear", "Shirts"), "Bottoms": ("Jeans", "Skirts"), "Outerwear": ("Coats", "Rain")},
    "Home": {"Kitchen": ("Pans", "Knives"), "Living": ("Lamps", "Cushions")},
    "Books": {"Fiction": ("Crime", "Poetry"), "Non-fiction": ("Cooking", "Travel")},
}
"""Root -> branch -> leaves."""

GERMAN = {
    "Clothing": "Kleidung", "Home": "Zuhause", "Books": "Bücher", "Tops": "Oberteile", "Bottoms": "Hosen & Röcke",
    "Outerwear": "Jacken", "Kitchen": "Küche", "Living": "Wohnen", "Fiction": "Belletristik", "Non-fiction": "Sachbuch",
    "T-Shirts": "T-Shirts", "Knitwear": "Strick", "Shirts": "Hemden", "Jeans": "Jeans", "Skirts": "Röcke", "Coats": "Mäntel",
    "Rain": "Regen", "Pans": "Pfannen", "Knives": "Messer", "Lamps": "Lampen", "Cushions": "Kissen", "Crime": "Krimi",
    "Poetry": "Lyrik", "Cooking": "Kochen", "Travel": "Reisen",
}  # fmt: skip

BRANDS = ("Nordlys", "Aurélie & Fils", "Kōbō", "Plain Goods", "Zażółć", 'Old "Quote" Co.', "Señor Lana", "Øst")
ADJECTIVES = ("Classic", "Everyday", "Limited", "Recycled", "Soft", "Little", "Grand", "Quiet")
COLOURS = ("black", "ecru", "navy", "moss", "terracotta")
SIZES = ("XS", "S", "M", "L", "XL")
CARRIERS = ("DHL", "UPS", "La Poste", "Yamato", "Evri")
