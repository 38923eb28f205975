"""Phone numbers in E.164 form (rule `phone_v1`): `+4930123456` of `030 / 123 456` and the country that it was written in.

A number with `+` or the country's international prefix says its country itself; any other is read as a number of the
record's country, its trunk prefix taken off. What has too few or too many digits, or an extension, has no E.164 form.
Applying the rule twice changes nothing.

The table was derived from the metadata of Google's libphonenumber (9.0.43), whose example numbers are the golden vectors.
Countries whose national form takes more than a prefix (Argentina: `15` inside mobile numbers) are read with `+` only. It is
a table of our own because the library takes 40 ms to import, 6 MB, and releases that would change hashes already sent.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

E164_DIGITS_MAX = 15
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]")
_TRUNK_IN_BRACKETS = re.compile(r"\(\s*0\s*\)")
_SEPARATORS = re.compile(r"[\s()./\-\u2010-\u2015\u2212~]+")
_DIGITS = re.compile(r"\d+", re.ASCII)
_TABLE = """
    AC247::5:5: AD376::6:9: AE971:0:8:9: AF93:0:9:9: AG1:1:10:10:011 AI1:1:10:10:011 AL355:0:8:9: AM374:0:8:8: AO244::9:9:
    AS1:1:10:10:011 AT43:0:4:13: AU61:0:9:9:0011 AW297::7:7: AX358:0:6:10: AZ994:0:9:9: BA387:0:8:9: BB1:1:10:10:011
    BD880:0:6:10: BE32:0:8:9: BF226::8:8: BG359:0:6:9: BH973::8:8: BI257::8:8: BJ229::10:10: BL590:0:9:9: BM1:1:10:10:011
    BN673::7:7: BO591:0:8:8: BQ599::7:7: BR55:0:10:11:0011 BS1:1:10:10:011 BT975::7:8: BW267::7:8: BZ501::7:7:
    CA1:1:10:10:011 CC61:0:9:9:0011 CD243:0:7:10: CF236::8:8: CG242::9:9: CH41:0:9:9: CI225::10:10: CK682::5:5: CL56::9:9:
    CM237::9:9: CN86:0:7:11: CO57:0:8:10: CR506::8:8: CU53:0:6:10:119 CV238::7:7:0 CW599::7:8: CX61:0:9:9:0011 CY357::8:8:
    CZ420::9:9: DE49:0:5:15: DJ253::8:8: DK45::8:8: DM1:1:10:10:011 DO1:1:10:10:011 DZ213:0:8:9: EC593:0:8:9: EE372::7:8:
    EG20:0:8:10: EH212:0:9:9: ER291:0:7:7: ES34::9:9: ET251:0:9:9: FI358:0:5:10: FJ679::7:7: FK500::5:5: FM691::7:7:
    FO298::6:6: FR33:0:9:9: GA241::7:8: GB44:0:9:10: GD1:1:10:10:011 GE995:0:9:9: GF594:0:9:9: GG44:0:10:10: GH233:0:9:9:
    GI350::8:8: GL299::6:6: GM220::7:9: GN224::8:9: GP590:0:9:9: GQ240::9:9: GR30::10:10: GT502::8:8: GU1:1:10:10:011
    GW245::9:9: GY592::7:7:001 HK852::8:8: HN504::8:8: HR385:0:8:9: HT509::8:8: HU36:06:8:9: ID62:0:7:12: IE353:0:7:10:
    IL972:0:8:12: IM44:0:10:10: IN91:0:10:10: IO246::7:7: IQ964:0:8:10: IR98:0:6:10: IS354::7:9: IT39::6:12: JE44:0:10:10:
    JM1:1:10:10:011 JO962:0:8:9: JP81:0:9:10:010 KE254:0:7:9:000 KG996:0:9:9: KH855:0:8:9: KI686:0:5:8: KM269::7:7:
    KN1:1:10:10:011 KP850:0:8:10: KR82:0:5:10: KW965::8:8: KY1:1:10:10:011 KZ7:8:10:10:810 LA856:0:8:10: LB961:0:7:8:
    LC1:1:10:10:011 LI423:0:7:9: LK94:0:9:9: LR231:0:7:9: LS266::8:8: LT370:0:8:8: LU352::4:11: LV371::8:8: LY218:0:9:9:
    MA212:0:9:9: MC377:0:8:9: MD373:0:8:8: ME382:0:8:8: MF590:0:9:9: MG261:0:9:9: MH692:1:7:7:011 MK389:0:8:8: ML223::8:8:
    MM95:0:6:10: MN976:0:8:10:001 MO853::8:8: MP1:1:10:10:011 MQ596:0:9:9: MR222::8:8: MS1:1:10:10:011 MT356::8:8:
    MU230::7:8: MV960::7:7: MW265:0:7:9: MX52::10:10: MY60:0:8:10: MZ258::8:9: NA264:0:8:9: NC687::6:6: NE227::8:8:
    NF672::6:6: NG234:0:10:10:009 NI505::8:8: NL31:0:9:11: NO47::8:8: NP977:0:8:10: NR674::7:7: NU683::4:7: NZ64:0:8:10:
    OM968::8:8: PA507::7:8: PE51:0:8:9: PF689::8:8: PG675::7:8: PH63:0:6:10: PK92:0:9:10: PL48::7:9: PM508:0:6:9:
    PR1:1:10:10:011 PS970:0:8:9: PT351::9:9: PW680::7:7: PY595:0:7:9: QA974::8:8: RE262:0:9:9: RO40:0:6:9: RS381:0:7:12:
    RU7:8:10:10:810 RW250:0:8:9: SA966:0:9:9: SB677::5:7: SC248::7:7: SD249:0:9:9: SE46:0:7:9: SG65::8:8: SH290::4:5:
    SI386:0:8:8: SJ47::8:8: SK421:0:6:9: SL232:0:8:8: SM378::8:10: SN221::9:9: SO252:0:6:9: SR597::6:7: SS211:0:9:9:
    ST239::7:7: SV503::8:8: SX1:1:10:10:011 SY963:0:8:9: SZ268::8:8: TA290::4:4: TC1:1:10:10:011 TD235::8:8: TG228::8:8:
    TH66:0:8:9: TJ992::9:9:810 TK690::4:7: TL670::7:8: TM993:8:8:8:810 TN216::8:8: TO676::5:7: TR90:0:10:10:
    TT1:1:10:10:011 TV688::5:7: TW886:0:8:9: TZ255:0:9:9: UA380:0:9:9: UG256:0:9:9: US1:1:10:10:011 UY598:0:8:8:
    UZ998::9:9: VA39::6:11: VC1:1:10:10:011 VE58:0:10:10: VG1:1:10:10:011 VI1:1:10:10:011 VN84:0:9:10: VU678::5:7:
    WF681::6:6: WS685::5:10:0 XK383:0:8:12: YE967:0:7:9: YT262:0:9:9: ZA27:0:5:9: ZM260:0:9:9: ZW263:0:9:9:
"""
"""Country, calling code : trunk prefix : fewest : most digits of a national number : international prefix where not `00`."""


class _Country:
    """How numbers of one country are written: calling code, trunk prefix, digits of a national number, `00`."""

    __slots__ = ("code", "international", "longest", "shortest", "trunk")

    def __init__(self, code: str, trunk: str, shortest: str, longest: str, international: str) -> None:
        self.code = code
        self.trunk = trunk
        self.shortest = int(shortest)
        self.longest = int(longest)
        self.international = international or "00"


@lru_cache(maxsize=1)
def _countries() -> dict[str, _Country]:
    return {row[:2]: _Country(*row[2:].split(":")) for row in _TABLE.split()}


@lru_cache(maxsize=1)
def _calling_codes() -> dict[str, str]:
    """Calling code -> the trunk prefix that people write behind it by mistake; empty where a number may begin with it."""
    found: dict[str, str] = {}
    for country in _countries().values():
        is_zero = country.trunk == "0" and found.get(country.code, "0") == "0"
        found[country.code] = "0" if is_zero else ""
    return found


@lru_cache(maxsize=4096)
def normalize_phone(text: str, country: str | None = None) -> str | None:
    """The number in E.164 form, None where it has none; `country` (ISO 3166 alpha-2) is that of a number without one."""
    plain = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    plain = _SEPARATORS.sub("", _TRUNK_IN_BRACKETS.sub("", plain)).removeprefix("tel:")
    own = _countries().get(country.upper()) if country else None
    if plain.startswith("+"):
        return _international(plain[1:])
    if not _DIGITS.fullmatch(plain):
        return None
    if own is None:
        return _international(plain[2:]) if plain.startswith("00") else None
    if plain.startswith(own.international):
        return _international(plain[len(own.international) :])
    number = plain.removeprefix(own.trunk) if own.trunk else plain
    if not own.shortest <= len(number) <= own.longest:
        return None
    return _checked(own.code, number)


def _international(digits: str) -> str | None:
    if not _DIGITS.fullmatch(digits) or digits.startswith("0"):
        return None
    codes = _calling_codes()
    code = next((digits[:size] for size in (1, 2, 3) if digits[:size] in codes), digits[:3])
    return _checked(code, digits[len(code) :])


def _checked(code: str, number: str) -> str | None:
    """The number, without the trunk zero that people write behind a calling code; None where it is too short or long."""
    number = number.lstrip("0") if _calling_codes().get(code) else number
    digits = code + number
    return f"+{digits}" if 7 <= len(digits) <= E164_DIGITS_MAX and len(number) >= 4 else None
