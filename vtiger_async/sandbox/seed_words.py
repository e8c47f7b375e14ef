"""The words that the seed data is made of; other scripts and accents included on purpose."""

from __future__ import annotations

__all__ = [
    "CITIES",
    "COMPANY_ENDS",
    "COMPANY_HEADS",
    "COMPANY_KINDS",
    "FIRST_NAMES",
    "ITEMS",
    "JOBS",
    "LAST_NAMES",
    "PROBLEMS",
    "SENTENCES",
]


def _words(text: str) -> tuple[str, ...]:
    return tuple(" ".join(word.split()) for word in text.split("|"))


FIRST_NAMES = _words(
    "Ada|Björn|Chloé|Daniel|Élodie|Fatima|George|Hanna|Igor|José|Katarzyna|Liam|Mei|Noah|Óscar"
    "|Priya|Quinn|Renée|Søren|Tomáš|Uma|Václav|Wei|Ximena|Yūki|Zoë|Aarav|Beatriz|Conor|Dmitri"
)
"""First names of persons."""
LAST_NAMES = _words(
    "Andersson|Brown|Müller|O'Brien|Nguyen|García|Smith|Schmidt|Kowalski|Rossi|Yamamoto|Okafor"
    "|D'Angelo|van der Berg|Smythe|Smit|Horváth|Åkesson|Fernández|Le Goff|Łukasik|Öztürk|Patel"
    "|山田|Ng|Smith-Jones|Weiß|Novák|Silva|McDonald|Dvořák"
)
"""Last names of persons."""
COMPANY_HEADS = _words(
    "Acme|Northwind|Blue River|Café Luna|Östlund|Zenith|Señor Sol|Alpha & Beta|Granit|Lumière"
    "|東京|Red Oak|Harbour|Summit|Fjord|Kappa|Silver Birch|Vega|Polar|Meridian|Copper|Orchard"
    "|Delta|Quartz|Willow|Ember|Saffron|Atlas|Nimbus|Coral"
)
"""How names of companies begin."""
COMPANY_KINDS = _words(
    "Logistics|Foods|Software|Textiles|Engineering|Health|Energy|Media|Tools|Consulting|Travel"
    "|Chemicals|Furniture|Optics|Paper"
)
"""What companies do."""
COMPANY_ENDS = _words("Ltd|GmbH|Inc.|S.A.|AB|s.r.o.|Pty|LLC|株式会社|BV")
"""How names of companies end."""
CITIES = _words(
    "Bengaluru:India|München:Germany|São Paulo:Brazil|Kraków:Poland|New York:United States"
    "|Malmö:Sweden|Lyon:France|Dublin:Ireland|Osaka:Japan|Brno:Czechia|Leeds:United Kingdom"
    "|Utrecht:Netherlands"
)
"""Cities, each with its country behind a colon."""
ITEMS = _words(
    'Desk Lamp|Router|Office Chair|Label Printer|Cable Set|Monitor 27"|Backup Licence'
    "|Headset|Docking Station|Whiteboard|Paper 80 g/m²|Toner|Scanner|Tablet|Keyboard (DE)|Mouse"
)
"""Names of products."""
JOBS = _words(
    "Chief Executive Officer|Buyer|Head of IT|Accountant|Sales Engineer|Office Manager|Intern"
    "|Project Lead|Director of Purchasing|Field Technician"
)
"""Titles of persons."""
PROBLEMS = _words(
    "Cannot log in|Printer prints blank pages|Invoice shows the wrong address|Export is slow"
    "|100% CPU after the update|Umlauts are shown as ?|Password reset mail never arrives"
    "|Screen flickers|Report_2024 has no totals|Asks for a second licence"
)
"""What tickets are about."""
SENTENCES = _words(
    "Asked to be called back.|Prefers e-mail; does not pick up the phone.|Met at the trade show."
    '|Wants an offer by Friday, "at the latest".|Line one\nline two|Price is the main concern.'
    "|Path on their server: C:\\data\\crm|Rabatt von 5 % zugesagt.|次回は来週の火曜日。"
)
"""Descriptions and comments."""
