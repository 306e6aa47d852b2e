"""Station "draw": Grafana's units by name (12.2, packages/grafana-data/src/valueFormats/categories.ts), as tables."""

from __future__ import annotations

from math import inf


def _table(text: str) -> dict[str, str]:
    pairs = (each.strip().partition("=") for each in text.split("|"))
    return {name: rest for name, _, rest in pairs}


def _prefixed(text: str) -> dict[str, tuple[str, int]]:
    return {name: (rest.rpartition("@")[0], int(rest.rpartition("@")[2])) for name, rest in _table(text).items()}


AFTER = {"percent": "%"} | {
    name: f" {rest}"
    for name, rest in _table("""
    humidity=%H | dB=dB | pixel=px | accMS2=m/sec² | accFS2=f/sec² | accG=g | degree=° | radian=rad | grad=grad |
    arcmin=arcmin | arcsec=arcsec | areaM2=m² | areaF2=ft² | areaMI2=mi² | acres=ac | hectares=ha | ppm=ppm |
    conppb=ppb | conngm3=ng/m³ | conngNm3=ng/Nm³ | conμgm3=μg/m³ | conμgNm3=μg/Nm³ | conmgm3=mg/m³ | conmgNm3=mg/Nm³ |
    congm3=g/m³ | congNm3=g/Nm³ | conmgdL=mg/dL | conmmolL=mmol/L | flowgpm=gpm | flowcms=cms | flowcfs=cfs |
    flowcfm=cfm | litreh=L/h | flowlpm=L/min | flowmlpm=mL/min | lux=lux | masslb=lb | masst=t | lengthin=in |
    lengthft=ft | lengthmi=mi | pressurehpa=hPa | pressurekpa=kPa | pressurehg="Hg | rotrpm=rpm | rotrads=rad/s |
    rotdegs=°/s | celsius=°C | fahrenheit=°F | kelvin=K | velocityms=m/s | velocitykmh=km/h | velocitymph=mph |
    velocityknot=kn | m3=m³ | Nm3=Nm³ | dm3=dm³ | gallons=gal
    """).items()
}
"""Written behind the number, which stays as it is."""

SI = _prefixed("""
    sishort=@0 | candela=cd@0 | flops=FLOPS@0 | mflops=FLOPS@2 | gflops=FLOPS@3 | tflops=FLOPS@4 | pflops=FLOPS@5 |
    eflops=FLOPS@6 | zflops=FLOPS@7 | yflops=FLOPS@8 | decbytes=B@0 | decbits=b@0 | deckbytes=B@1 | decmbytes=B@2 |
    decgbytes=B@3 | dectbytes=B@4 | decpbytes=B@5 | pps=p/s@0 | Bps=B/s@0 | bps=b/s@0 | KBs=B/s@1 | Kbits=b/s@1 |
    MBs=B/s@2 | Mbits=b/s@2 | GBs=B/s@3 | Gbits=b/s@3 | TBs=B/s@4 | Tbits=b/s@4 | PBs=B/s@5 | Pbits=b/s@5 | watt=W@0 |
    kwatt=W@1 | megwatt=W@2 | gwatt=W@3 | mwatt=W@-1 | Wm2=W/m²@0 | voltamp=VA@0 | kvoltamp=VA@1 | voltampreact=VAr@0
    | kvoltampreact=VAr@1 | watth=Wh@0 | watthperkg=Wh/kg@0 | kwatth=Wh@1 | kwattm=W-Min@1 | mwatth=Wh@2 | amph=Ah@0 |
    kamph=Ah@1 | mamph=Ah@-1 | joule=J@0 | ev=eV@0 | amp=A@0 | kamp=A@1 | mamp=A@-1 | volt=V@0 | kvolt=V@1 |
    mvolt=V@-1 | dBm=dBm@0 | mohm=Ω@-1 | ohm=Ω@0 | kohm=Ω@1 | Mohm=Ω@2 | farad=F@0 | µfarad=F@-2 | nfarad=F@-3 |
    pfarad=F@-4 | ffarad=F@-5 | henry=H@0 | mhenry=H@-1 | µhenry=H@-2 | lumens=Lm@0 | forceNm=Nm@0 | forcekNm=Nm@1 |
    forceN=N@0 | forcekN=N@1 | Hs=H/s@0 | KHs=H/s@1 | MHs=H/s@2 | GHs=H/s@3 | THs=H/s@4 | PHs=H/s@5 | EHs=H/s@6 |
    massmg=g@-1 | massg=g@0 | masskg=g@1 | lengthmm=m@-1 | lengthm=m@0 | lengthkm=m@1 | pressurembar=bar@-1 |
    pressurebar=bar@0 | pressurekbar=bar@1 | pressurepa=Pa@0 | radbq=Bq@0 | radci=Ci@0 | radgy=Gy@0 | radrad=rad@0 |
    radsv=Sv@0 | radmsv=Sv@-1 | radusv=Sv@-2 | radrem=rem@0 | radexpckg=C/kg@0 | radr=R@0 | radsvh=Sv/h@0 |
    radmsvh=Sv/h@-1 | radusvh=Sv/h@-2 | rothz=Hz@0 | rotkhz=Hz@1 | rotmhz=Hz@2 | rotghz=Hz@3 | hertz=Hz@0 |
    mlitre=L@-1 | litre=L@0
""")
"""Steps of 1000; the number says where on the row of k, M, G … a plain 1 stands."""

IEC = _prefixed("""
    bytes=B@0 | bits=b@0 | kbytes=B@1 | mbytes=B@2 | gbytes=B@3 | tbytes=B@4 | pbytes=B@5 | binBps=B/s@0 |
    binbps=b/s@0 | KiBs=B/s@1 | Kibits=b/s@1 | MiBs=B/s@2 | Mibits=b/s@2 | GiBs=B/s@3 | Gibits=b/s@3 | TiBs=B/s@4 |
    Tibits=b/s@4 | PiBs=B/s@5 | Pibits=b/s@5
""")
"""Steps of 1024."""

COUNTS = _table("""
    cps=c/s | ops=ops/s | reqps=req/s | rps=rd/s | wps=wr/s | iops=io/s | eps=evt/s | mps=msg/s | recps=rec/s |
    rowsps=rows/s | cpm=c/m | opm=ops/m | reqpm=req/m | rpm=rd/m | wpm=wr/m | epm=evts/m | mpm=msgs/m | recpm=rec/m |
    rowspm=rows/m
""")
"""Steps of 1000 in K, M, B, T, then the word."""

MONEY = {
    name: ("", rest[1:]) if rest.startswith("-") else (rest, "")
    for name, rest in _table("""
    currencyUSD=$ | currencyGBP=£ | currencyEUR=€ | currencyJPY=¥ | currencyRUB=₽ | currencyUAH=₴ | currencyBRL=R$ |
    currencyDKK=-kr | currencyISK=-kr | currencyNOK=-kr | currencySEK=-kr | currencyCZK=czk | currencyCHF=CHF |
    currencyPLN=PLN | currencyBTC=฿ | currencymBTC=mBTC | currencyμBTC=μBTC | currencyZAR=R | currencyINR=₹ |
    currencyKRW=₩ | currencyIDR=Rp | currencyPHP=PHP | currencyVND=-đ | currencyTRY=-₺ | currencyMYR=RM |
    currencyXPF=XPF | currencyBGN=BGN | currencyPYG=₲ | currencyUYU=UYU | currencyILS=₪
    """).items()
}
"""Before the number, or behind it where it is written with a minus."""

SHORT = ("", " K", " Mil", " Bil", " Tri", " Quadr", " Quint", " Sext", " Sept")
"""Steps of 1000 of the unit "short"."""

LADDERS = {
    "ns": ((1e3, 1, " ns", ""), (1e6, 1e3, " µs", ""), (1e9, 1e6, " ms", ""), (6e10, 1e9, " s", ""),
           (3.6e12, 6e10, " min", "s"), (8.64e13, 3.6e12, " hour", "s"), (inf, 8.64e13, " day", "s")),
    "µs": ((1e3, 1, " µs", ""), (1e6, 1e3, " ms", ""), (inf, 1e6, " s", "")),
    "ms": ((1e3, 1, " ms", ""), (6e4, 1e3, " s", ""), (3.6e6, 6e4, " min", "s"), (8.64e7, 3.6e6, " hour", "s"),
           (3.1536e10, 8.64e7, " day", "s"), (inf, 3.1536e10, " year", "s")),
    "s": ((5e-324, 1, " s", ""), (1e-6, 1e-9, " ns", ""), (1e-3, 1e-6, " µs", ""), (1, 1e-3, " ms", ""),
          (60, 1, " s", ""), (3600, 60, " min", "s"), (86400, 3600, " hour", "s"), (604800, 86400, " day", "s"),
          (31536000, 604800, " week", "s"), (inf, 3.15569e7, " year", "s")),
    "m": ((60, 1, " min", ""), (1440, 60, " hour", "s"), (10080, 1440, " day", "s"), (604800, 10080, " week", "s"),
          (inf, 5.25948e5, " year", "s")),
    "h": ((24, 1, " hour", ""), (168, 24, " day", "s"), (8760, 168, " week", "s"), (inf, 8760, " year", "s")),
    "d": ((7, 1, " day", "s"), (365, 7, " week", "s"), (inf, 365, " year", "s")),
    "pressurepsi": ((1e3, 1, "psi", ""), (1e6, 1e3, "ksi", ""), (inf, 1e6, "Mpsi", "")),
}  # fmt: skip
"""Rungs: below this size, divided by, the word behind, what it gets above one."""
