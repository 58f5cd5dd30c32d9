"""What countries and their people are called in English and French, to find them in a text.

Not a list for display. Capitals are as in that language; `~` stands for an adjective's endings.
Cities stand for governments where the press writes so.
"""

from typing import Final

NAMES: Final[dict[str, str]] = dict(
    row.split(" ", 1)
    for row in """
AD Andorra|Andorre|Andorran~|andorran~
AE United Arab Emirates|Émirats arabes unis|Emirati~|émirat~|UAE
AF Afghanistan|Afghan~|afghan~
AL Albania|Albanie|Albanian~|albanais~
AM Armenia|Arménie|Armenian~|arménien~
AO Angola|Angolan~|angolais~
AR Argentina|Argentine~|argentin~|Argentinian~
AT Austria|Autriche|Austrian~|autrichien~
AU Australia|Australie|Australian~|australien~
AZ Azerbaijan|Azerbaïdjan|Azerbaijani~|azerbaïdjanais~
BA Bosnia|Bosnie|Bosnian~|bosnien~|bosniaque~
BD Bangladesh|Bangladeshi~|bangladais~
BE Belgium|Belgique|Belgian~|belge~
BF Burkina Faso|Burkinabe~|burkinabè~
BG Bulgaria|Bulgarie|Bulgarian~|bulgare~
BH Bahrain|Bahreïn|Bahraini~|bahreïnien~
BI Burundi|Burundian~|burundais~
BJ Benin|Bénin|Beninese|béninois~
BO Bolivia|Bolivie|Bolivian~|bolivien~
BR Brazil|Brésil|Brazilian~|brésilien~
BW Botswana|Botswanan~|botswanais~
BY Belarus|Bélarus|Biélorussie|Belarusian~|bélarusse~|biélorusse~|Minsk
CA Canada|Canadian~|canadien~
CD Congo|Congolese|congolais~
CF Central African Republic|République centrafricaine|centrafricain~
CH Switzerland|Suisse|Swiss|suisse~
CI Ivory Coast|Côte d'Ivoire|Ivorian~|ivoirien~
CL Chile|Chili|Chilean~|chilien~
CM Cameroon|Cameroun|Cameroonian~|camerounais~
CN China|Chine|Chinese|chinois~|Beijing|Pékin|PRC
CO Colombia|Colombie|Colombian~|colombien~
CR Costa Rica|Costa Rican~|costaricain~
CU Cuba|Cuban~|cubain~|Havana|La Havane
CY Cyprus|Chypre|Cypriot~|chypriote~
CZ Czechia|Czech Republic|Tchéquie|Czech~|tchèque~
DE Germany|Allemagne|German~|allemand~|Berlin
DJ Djibouti|Djiboutian~|djiboutien~
DK Denmark|Danemark|Danish|danois~
DO Dominican Republic|République dominicaine|Dominican~|dominicain~
DZ Algeria|Algérie|Algerian~|algérien~
EC Ecuador|Équateur|Ecuadorian~|équatorien~
EE Estonia|Estonie|Estonian~|estonien~
EG Egypt|Égypte|Egyptian~|égyptien~
ER Eritrea|Érythrée|Eritrean~|érythréen~
ES Spain|Espagne|Spanish|espagnol~
ET Ethiopia|Éthiopie|Ethiopian~|éthiopien~
FI Finland|Finlande|Finnish|finlandais~
FR France|French|français~|Paris
GA Gabon|Gabonese|gabonais~
GB United Kingdom|Royaume-Uni|Britain|Grande-Bretagne|British|britannique~|UK|London|Londres
GE Georgia|Géorgie|Georgian~|géorgien~
GH Ghana|Ghanaian~|ghanéen~
GR Greece|Grèce|Greek~|grec~|grecque~
GT Guatemala|Guatemalan~|guatémaltèque~
HN Honduras|Honduran~|hondurien~
HR Croatia|Croatie|Croatian~|croate~
HT Haiti|Haïti|Haitian~|haïtien~
HU Hungary|Hongrie|Hungarian~|hongrois~
ID Indonesia|Indonésie|Indonesian~|indonésien~
IE Ireland|Irlande|Irish|irlandais~
IL Israel|Israël|Israeli~|israélien~|Tel Aviv
IN India|Inde|Indian~|indien~|New Delhi
IQ Iraq|Irak|Iraqi~|irakien~
IR Iran|Iranian~|iranien~|Tehran|Téhéran
IS Iceland|Islande|Icelandic|islandais~
IT Italy|Italie|Italian~|italien~
JM Jamaica|Jamaïque|Jamaican~|jamaïcain~
JO Jordan|Jordanie|Jordanian~|jordanien~
JP Japan|Japon|Japanese|japonais~|Tokyo
KE Kenya|Kenyan~|kényan~
KG Kyrgyzstan|Kirghizistan|Kyrgyz|kirghize~
KH Cambodia|Cambodge|Cambodian~|cambodgien~
KP North Korea|Corée du Nord|North Korean~|nord-coréen~|DPRK|Pyongyang
KR South Korea|Corée du Sud|South Korean~|sud-coréen~|Seoul|Séoul
KW Kuwait|Koweït|Kuwaiti~|koweïtien~
KZ Kazakhstan|Kazakh~|kazakh~
LA Laos|Laotian~|laotien~
LB Lebanon|Liban|Lebanese|libanais~
LK Sri Lanka|Sri Lankan~|sri-lankais~
LR Liberia|Libéria|Liberian~|libérien~
LT Lithuania|Lituanie|Lithuanian~|lituanien~
LU Luxembourg|luxembourgeois~
LV Latvia|Lettonie|Latvian~|letton~
LY Libya|Libye|Libyan~|libyen~
MA Morocco|Maroc|Moroccan~|marocain~
MD Moldova|Moldavie|Moldovan~|moldave~
ME Montenegro|Monténégro|Montenegrin~|monténégrin~
MG Madagascar|Malagasy|malgache~
MK North Macedonia|Macédoine du Nord|Macedonian~|macédonien~
ML Mali|Malian~|malien~
MM Myanmar|Birmanie|Burmese|birman~
MN Mongolia|Mongolie|Mongolian~|mongol~
MR Mauritania|Mauritanie|Mauritanian~|mauritanien~
MT Malta|Malte|Maltese|maltais~
MW Malawi|Malawian~|malawien~
MX Mexico|Mexique|Mexican~|mexicain~
MY Malaysia|Malaisie|Malaysian~|malaisien~
MZ Mozambique|Mozambican~|mozambicain~
NA Namibia|Namibie|Namibian~|namibien~
NE Niger|Nigerien~|nigérien~
NG Nigeria|Nigéria|Nigerian~|nigérian~
NI Nicaragua|Nicaraguan~|nicaraguayen~
NL Netherlands|Pays-Bas|Dutch|néerlandais~|The Hague|La Haye
NO Norway|Norvège|Norwegian~|norvégien~
NP Nepal|Népal|Nepalese|népalais~
NZ New Zealand|Nouvelle-Zélande|néo-zélandais~
OM Oman|Omani~|omanais~
PA Panama|Panamanian~|panaméen~
PE Peru|Pérou|Peruvian~|péruvien~
PG Papua New Guinea|Papouasie-Nouvelle-Guinée|papouasien~
PH Philippines|Filipino~|philippin~|Philippine~
PK Pakistan|Pakistani~|pakistanais~|Islamabad
PL Poland|Pologne|Polish|polonais~|Warsaw|Varsovie
PS Palestine|Palestinian~|palestinien~
PT Portugal|Portuguese|portugais~
PY Paraguay|Paraguayan~|paraguayen~
QA Qatar|Qatari~|qatari~
RO Romania|Roumanie|Romanian~|roumain~
RS Serbia|Serbie|Serbian~|serbe~
RU Russia|Russie|Russian Federation|Fédération de Russie|Russian~|russe~|Moscow|Moscou|Kremlin
RW Rwanda|Rwandan~|rwandais~
SA Saudi Arabia|Arabie saoudite|Saudi~|saoudien~|Riyadh|Riyad
SD Sudan|Soudan|Sudanese|soudanais~
SE Sweden|Suède|Swedish|suédois~
SG Singapore|Singapour|Singaporean~|singapourien~
SI Slovenia|Slovénie|Slovenian~|slovène~
SK Slovakia|Slovaquie|Slovak~|slovaque~
SN Senegal|Sénégal|Senegalese|sénégalais~
SO Somalia|Somalie|Somali~|somalien~
SS South Sudan|Soudan du Sud|South Sudanese|sud-soudanais~
SV El Salvador|Salvador|Salvadoran~|salvadorien~
SY Syria|Syrie|Syrian~|syrien~|Damascus|Damas
TD Chad|Tchad|Chadian~|tchadien~
TG Togo|Togolese|togolais~
TH Thailand|Thaïlande|Thai~|thaïlandais~
TJ Tajikistan|Tadjikistan|Tajik~|tadjik~
TM Turkmenistan|Turkménistan|Turkmen~|turkmène~
TN Tunisia|Tunisie|Tunisian~|tunisien~
TR Turkey|Türkiye|Turquie|Turkish|turc~|turque~|Ankara
TW Taiwan|Taïwan|Taiwanese|taïwanais~|Taipei
TZ Tanzania|Tanzanie|Tanzanian~|tanzanien~
UA Ukraine|Ukrainian~|ukrainien~|Kyiv|Kiev
UG Uganda|Ouganda|Ugandan~|ougandais~
US United States|États-Unis|America|Amérique|American~|américain~|USA|Washington
UY Uruguay|Uruguayan~|uruguayen~
UZ Uzbekistan|Ouzbékistan|Uzbek~|ouzbek~
VE Venezuela|Venezuelan~|vénézuélien~
VN Vietnam|Viet Nam|Vietnamese|vietnamien~|Hanoi|Hanoï
YE Yemen|Yémen|Yemeni~|yéménite~
ZA South Africa|Afrique du Sud|South African~|sud-africain~
ZM Zambia|Zambie|Zambian~|zambien~
ZW Zimbabwe|Zimbabwean~|zimbabwéen~
""".strip().splitlines()
)
