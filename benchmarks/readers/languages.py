"""Texts in 31 languages, and the encodings they come in: what `encodings` reads.

A language has a paragraph and a small table, its heading first.
"""

from __future__ import annotations

PROSE = {
    "pl": (
        "Warsztat przy ulicy Źródlanej naprawia rowery od marca do października. Przegląd kosztuje 85"
        " złotych, a wymiana łańcucha 40 złotych. Klient powinien odebrać sprzęt w ciągu siedmiu dni;"
        " później naliczamy opłatę za każdy dzień przechowywania. Części zamówione później "
        "przyjeżdżają we środę."
    ),
    "cs": (
        "Půjčovna kol u nádraží je otevřena každý den kromě neděle. Záloha činí osm set korun a vrací"
        " se při odevzdání kola. Řetěz je třeba promazat po každém dešti, jinak účtujeme čištění. "
        "Děti mladší než dvanáct let smějí jezdit jen v doprovodu dospělé osoby."
    ),
    "sk": (
        "Požičovňa lyží pri vleku má otvorené až do večera. Zálohu vraciame pri odovzdaní výstroja a "
        "za každý ďalší deň účtujeme štyri eurá. Ľahké topánky nie sú vhodné na ľad. Deti môžu jazdiť"
        " iba s prilbou, ktorú dostanú bezplatne."
    ),
    "hu": (
        "A kölcsönző minden hétköznap nyolc órától hat óráig tart nyitva. A fűnyíró napi díja kétezer"
        " forint, a létráé ötszáz. Aki késve hozza vissza a gépet, minden megkezdett órára pótdíjat "
        "fizet. A sérülést azonnal jelezni kell a főnöknek, különben elvész a kaució."
    ),
    "ro": (
        "Atelierul repară biciclete în fiecare zi lucrătoare, între orele nouă şi şase. Revizia costă"
        " optzeci de lei, iar lanţul se schimbă în aceeaşi zi. Clienţii care întârzie plătesc o taxă "
        "pentru fiecare zi. Părţile comandate ajung după trei săptămâni."
    ),
    "hr": (
        "Radionica popravlja bicikle svaki dan osim nedjelje. Pregled košta četrdeset kuna, a zamjena"
        " lanca još dvadeset. Tko kasni više od tjedan dana, plaća ležarinu. Dječji bicikli čekaju u "
        "dvorištu, gdje ih možete preuzeti između osam i šest sati. Narudžbe šaljemo poštom."
    ),
    "sl": (
        "Izposojevalnica koles je odprta vsak dan razen nedelje. Varščina znaša petdeset evrov in se "
        "vrne ob vračilu kolesa. Če zamudite, zaračunamo še dodatni dan. Otroci, mlajši od desetih "
        "let, morajo nositi čelado, ki jo dobijo brezplačno pri blagajni."
    ),
    "tr": (
        "Atölye her gün dokuzdan altıya kadar açıktır. Bisiklet bakımı yüz elli lira, zincir değişimi"
        " seksen liradır. Müşteri aracını yedi gün içinde almalıdır; geç kalanlar her gün için ücret "
        "öder. Çocukların kask takması gerekir. Şikâyetler müdüre yazılır."
    ),
    "he": (
        "המוסך פתוח בכל יום משמונה בבוקר עד שש בערב. טיפול באופניים עולה שמונים שקלים והחלפת שרשרת "
        "עולה ארבעים. מי שמאחר משלם על כל יום נוסף. ילדים חייבים לחבוש קסדה."
    ),
    "el": (
        "Το εργαστήριο είναι ανοιχτό κάθε μέρα εκτός από την Κυριακή. Ο έλεγχος του ποδηλάτου "
        "κοστίζει σαράντα ευρώ και η αλλαγή της αλυσίδας είκοσι. Όποιος αργεί πληρώνει για κάθε μέρα."
        " Τα παιδιά πρέπει να φορούν κράνος."
    ),
    "ru": (
        "Мастерская открыта каждый день, кроме воскресенья. Осмотр велосипеда стоит четыреста рублей,"
        " замена цепи ещё двести. Кто опаздывает больше чем на неделю, платит за хранение. Дети "
        "должны ехать в шлеме, который выдаётся бесплатно. Жалобы принимает начальник."
    ),
    "uk": (
        "Майстерня відчинена щодня, крім неділі. Огляд велосипеда коштує чотириста гривень, заміна "
        "ланцюга ще двісті. Хто запізнюється, платить за зберігання. Діти повинні їхати в шоломі, "
        "який видають безкоштовно. Її власник живе поруч."
    ),
    "bg": (
        "Работилницата е отворена всеки ден освен в неделя. Прегледът на велосипеда струва "
        "четиридесет лева, а смяната на веригата още двадесет. Който закъснее, плаща за съхранение. "
        "Децата трябва да носят каска, която получават безплатно."
    ),
    "lt": (
        "Dirbtuvės atidarytos kiekvieną dieną, išskyrus sekmadienį. Dviračio apžiūra kainuoja "
        "keturiasdešimt eurų, o grandinės keitimas dar dvidešimt. Vėluojantys moka už kiekvieną "
        "dieną. Vaikai privalo dėvėti šalmą, kurį gauna nemokamai."
    ),
    "lv": (
        "Darbnīca ir atvērta katru dienu, izņemot svētdienu. Velosipēda apskate maksā četrdesmit "
        "eiro, bet ķēdes maiņa vēl divdesmit. Kas nokavē, maksā par glabāšanu. Bērniem jāvalkā "
        "ķivere, ko izsniedz bez maksas."
    ),
    "et": (
        "Töökoda on avatud iga päev peale pühapäeva. Jalgratta ülevaatus maksab nelikümmend eurot ja "
        "keti vahetus veel kümme. Kes hilineb, maksab hoiutasu. Lapsed peavad kandma kiivrit, mille "
        "saab tasuta. Sõiduõpetus on õhtuti."
    ),
    "ar": (
        "الورشة مفتوحة كل يوم ما عدا يوم الجمعة. فحص الدراجة يكلف أربعين ريالا وتغيير السلسلة عشرين. "
        "من يتأخر يدفع عن كل يوم. يجب على الأطفال ارتداء الخوذة."
    ),
    "th": (
        "ร้านซ่อมจักรยานเปิดทุกวันยกเว้นวันอาทิตย์ ค่าตรวจเช็กสี่ร้อยบาท เปลี่ยนโซ่อีกสองร้อยบาท "
        "ใครมารับช้าต้องจ่ายค่าฝากทุกวัน เด็กต้องสวมหมวกกันน็อก"
    ),
    "ja": (
        "工房は日曜日を除いて毎日開いています。自転車の点検は四千円、チェーンの交換はさらに二千円"
        "です。一週間以上遅れた場合は保管料がかかります。子どもはヘルメットをかぶってください。"
    ),
    "zh-gb": (
        "工场除星期日外每天开放。自行车检查费为四十元，更换链条另收二十元。迟到超过一周的客户须支"
        "付保管费。儿童必须戴头盔，头盔免费提供。投诉请写信给经理。"
    ),
    "zh-tw": (
        "工場除星期日外每天開放。腳踏車檢查費為四百元，更換鏈條另收兩百元。遲到超過一週的客戶須支"
        "付保管費。兒童必須戴安全帽，安全帽免費提供。投訴請寫信給經理。"
    ),
    "ko": (
        "작업장은 일요일을 제외하고 매일 문을 엽니다. 자전거 점검은 사만 원이고 체인 교체는 이만 원입니다. 일주일 넘게 늦으면 보관료를 내야 합니다. 어린이는 헬멧을 써야"
        " 합니다."
    ),
    "de": (
        "Die Werkstatt öffnet täglich außer sonntags. Die Prüfung eines Fahrrads kostet 45 €, der "
        "Wechsel der Kette weitere 20 €. Wer später kommt, zahlt für jeden Tag. Kinder müssen einen "
        "Helm tragen – „kostenlos“ an der Kasse erhältlich."
    ),
    "fr": (
        "L’atelier est ouvert chaque jour sauf le dimanche. La révision d’un vélo coûte 40 €, le "
        "remplacement de la chaîne 20 € de plus. Qui dépasse le délai paie une pénalité dès le "
        "premier jour. Les élèves portent un casque prêté à l’entrée où ça gêne."
    ),
    "es": (
        "El taller abre todos los días menos el domingo. La revisión de la bicicleta cuesta cuarenta "
        "euros y el cambio de la cadena veinte más. ¿Quién paga el almacén? El cliente que llega "
        "después del plazo. Los niños llevarán casco; está incluido según la política."
    ),
    "pt": (
        "A oficina está aberta todos os dias, exceto ao domingo. A revisão da bicicleta custa "
        "quarenta euros e a mudança da corrente mais vinte. Quem não cumpre o prazo paga a "
        "armazenagem. As crianças têm de usar capacete, que é grátis na receção."
    ),
    "sv": (
        "Verkstaden är öppen alla dagar utom söndag. Översyn av en cykel kostar fyrahundra kronor och"
        " byte av kedja tvåhundra till. Den som kommer för sent får betala för varje dag. Barnen "
        "måste bära hjälm, som lånas ut gratis på området."
    ),
    "is": (
        "Verkstæðið er opið alla daga nema sunnudaga. Skoðun á hjóli kostar fjögur þúsund krónur og "
        "ný keðja tvö þúsund. Þeir sem koma of seint greiða fyrir hvern dag. Börn verða að nota "
        "hjálm, sem fæst ókeypis í afgreiðslunni."
    ),
    "fi": (
        "Paja on auki joka päivä paitsi sunnuntaina. Pyörän huolto maksaa neljäkymmentä euroa ja "
        "ketjun vaihto vielä kaksikymmentä. Joka myöhästyy, maksaa säilytyksestä. Lasten täytyy "
        "käyttää kypärää, jonka saa lainaksi tiskiltä."
    ),
    "da": (
        "Værkstedet er åbent alle dage undtagen søndag. Eftersyn af en cykel koster fire hundrede "
        "kroner, og en ny kæde to hundrede mere. Den, der kommer for sent, betaler for hver dag. Børn"
        " skal bære hjelm, som lånes gratis på stedet."
    ),
    "it": (
        "L’officina è aperta ogni giorno tranne la domenica. La revisione della bicicletta costa "
        "quaranta euro e la catena venti in più. Chi arriva dopo sette giorni pagherà il deposito, "
        "perché lo spazio è poco. La novità: il casco è gratis, ma c’è già chi lo dimentica."
    ),
}

ROWS = {
    "pl": "Nazwa, Miasto, Uwagi | Żółw, Łódź, świeży | Gęś, Kraków, późno | Ćma, Wąsosz, brak",
    "cs": "Název, Město, Cena | Šroubovák, Plzeň, žádná | Kůň, Třebíč, dvě stě | Řepa, Děčín, ještě",
    "sk": "Názov, Mesto, Cena | Tržnica, Žilina, päť | Kôň, Košice, dvadsať | Ľan, Nitra, šesť",
    "hu": "Név, Város, Megjegyzés | Fűrész, Győr, új | Ökör, Pécs, később | Tűzhely, Szeged, hűtőből",
    "ro": "Nume, Oraş, Preţ | Căruţă, Iaşi, zece | Fâşie, Braşov, două | Ţiglă, Bistriţa, încă",
    "hr": "Naziv, Grad, Cijena | Žičara, Šibenik, đak | Kuća, Poreč, već | Šešir, Đurđevac, još",
    "sl": "Naziv, Mesto, Cena | Žaga, Škofja Loka, več | Češnja, Črnomelj, še | Kašča, Žalec, ničla",
    "tr": "Ürün, Şehir, Not | Çivi, Muğla, yeni | Şeker, İzmir, kalmadı | Ağaç, Eskişehir, güzel",
    "he": "מוצר, עיר, מחיר | ברז, חיפה, שלושים | פטיש, אילת, חדש | מסור, יבנה, אזל",
    "el": "Προϊόν, Πόλη, Τιμή | Βίδα, Χανιά, νέο | Σφυρί, Πάτρα, τέλος | Ψάρι, Βόλος, δέκα",
    "ru": "Товар, Город, Цена | Молоток, Пермь, нет | Щётка, Уфа, новый | Яблоко, Елец, пять",
    "uk": "Товар, Місто, Ціна | Молоток, Київ, ні | Щітка, Їжак, є | Яблуко, Львів, п'ять",
    "bg": "Стока, Град, Цена | Чук, София, няма | Четка, Русе, нов | Ябълка, Плевен, пет",
    "lt": (
        "Prekė, Miestas, Kaina | Žirklės, Šiauliai, nėra | Ąžuolas, Panevėžys, šeši | Ūkis, Telšiai, dešimt"
    ),
    "lv": "Prece, Pilsēta, Cena | Āmurs, Cēsis, nav | Šķēres, Jūrmala, seši | Ābols, Valmiera, pieci",
    "et": "Toode, Linn, Hind | Käärid, Võru, üks | Õun, Põlva, kümme | Täht, Jõgeva, uus",
    "ar": "المنتج, المدينة, السعر | مطرقة, جدة, جديد | تفاح, عمان, خمسة | منشار, بغداد, انتهى",
    "th": "สินค้า, เมือง, ราคา | ค้อน, ตรัง, ใหม่ | ส้ม, น่าน, ห้า | ปลา, เลย, หมด",
    "ja": "品名, 町, 備考 | 金槌, 青森, 新品 | りんご, 長野, 五個 | ノコギリ, 那覇, 品切れ",
    "zh-gb": "商品, 城市, 备注 | 锤子, 大连, 新货 | 苹果, 长沙, 五个 | 锯子, 昆明, 售完",
    "zh-tw": "商品, 城市, 備註 | 鎚子, 臺南, 新貨 | 蘋果, 花蓮, 五個 | 鋸子, 嘉義, 售完",
    "ko": "상품, 도시, 비고 | 망치, 부산, 새것 | 사과, 대구, 다섯 | 톱, 여수, 품절",
    "de": "Größe, Stadt, Maß | Säge, Köln, für | Öl, Lübeck, groß | Übung, Gießen, zwölf",
    "fr": "Désignation, Ville, Été | Clé, Orléans, déjà | Pêche, Nîmes, près | Maçon, Besançon, où",
    "es": "Artículo, Ciudad, Año | Cañón, Málaga, aún | Plátano, Jaén, sí | Ración, Cádiz, más",
    "pt": "Descrição, Cidade, Mês | Maçã, Évora, três | Pão, Leça, até | Avô, Bragança, são",
    "sv": "Vara, Ort, Pris | Såg, Växjö, ny | Äpple, Luleå, två | Öl, Mölndal, på",
    "is": "Vara, Staður, Verð | Sög, Þórshöfn, ný | Epli, Ísafjörður, tvö | Öl, Hvítá, á",
    "fi": "Tuote, Käyttö, Hinta | Pöytä, Hämeenlinna, yö | Sähkö, Jyväskylä, kyllä | Näyttö, Ähtäri, pää",
    "da": "Vare, By, Pris | Sæbe, Aabenrå, ny | Æble, Tønder, på | Øl, Sorø, få",
    "it": "Qualità, Città, Età | Caffè, Forlì, già | Tè, Cantù, più | Perù, Mondovì, così",
}

ENCODINGS = {
    "pl": "cp1250 iso8859_2",
    "cs": "cp1250 iso8859_2",
    "sk": "cp1250 iso8859_2",
    "hu": "cp1250 iso8859_2",
    "ro": "cp1250 iso8859_2",
    "hr": "cp1250 iso8859_2",
    "sl": "cp1250 iso8859_2",
    "tr": "cp1254 iso8859_9",
    "he": "cp1255 iso8859_8",
    "el": "cp1253 iso8859_7",
    "ru": "cp1251 koi8_r iso8859_5 cp866",
    "uk": "cp1251 koi8_u",
    "bg": "cp1251 iso8859_5",
    "lt": "cp1257 iso8859_13",
    "lv": "cp1257 iso8859_13",
    "et": "cp1257 cp1252",
    "ar": "cp1256 iso8859_6",
    "th": "cp874",
    "ja": "cp932 euc_jp iso2022_jp",
    "zh-gb": "gb18030",
    "zh-tw": "big5",
    "ko": "cp949",
    "de": "cp1252 iso8859_15 mac_roman cp850",
    "fr": "cp1252 iso8859_15 mac_roman cp850",
    "es": "cp1252 mac_roman cp850",
    "pt": "cp1252 mac_roman",
    "sv": "cp1252 mac_roman",
    "is": "cp1252",
    "fi": "cp1252",
    "da": "cp1252",
    "it": "cp1252 mac_roman",
}
