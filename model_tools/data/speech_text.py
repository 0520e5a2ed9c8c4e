# ruff: noqa: RUF001 -- Cyrillic, Greek and Turkish letters are what these sentences are written in
"""What the synthesised voices say: sentences written for this project, some with a number in them.

Everyday talk of a house and a workshop, so that consonants, questions, lists and numbers all occur.
Grammar is secondary: nobody is meant to learn a language here.
"""

from __future__ import annotations

TEXT: dict[str, tuple[str, ...]] = {
    "en": (
        "The train on platform {} leaves a little later today, please mind the step.",
        "Could you put the blue box next to the window and close the door behind you?",
        "We counted {} birds on the roof, and then all of them were gone.",
        "No, that is not what I meant; take the second street on the left.",
        "Switch the kitchen light off, it is {} o'clock already!",
        "She packed shirts, socks, seven pencils and a very thick book about bridges.",
        "Measure twice, cut once, and write every number down.",
        "Is anybody there? I thought I heard someone on the stairs.",
    ),
    "de": (
        "Der Zug auf Gleis {} fährt heute etwas später, bitte Vorsicht an der Stufe.",
        "Kannst du die blaue Kiste ans Fenster stellen und die Tür zumachen?",
        "Wir haben {} Vögel auf dem Dach gezählt, dann waren alle fort.",
        "Nein, so war das nicht gemeint; nimm die zweite Straße links.",
        "Sie packte Hemden, Socken, sieben Stifte und ein dickes Buch ein.",
        "Zweimal messen, einmal schneiden, und jede Zahl aufschreiben.",
    ),
    "fr": (
        "Le train de la voie {} partira un peu plus tard, attention à la marche.",
        "Peux-tu poser la boîte bleue près de la fenêtre et fermer la porte ?",
        "Nous avons compté {} oiseaux sur le toit, puis plus aucun.",
        "Non, ce n'est pas ce que je voulais dire ; prenez la deuxième rue à gauche.",
        "Elle a rangé des chemises, des chaussettes, sept crayons et un gros livre.",
    ),
    "es": (
        "El tren del andén {} sale hoy un poco más tarde, cuidado con el escalón.",
        "¿Puedes dejar la caja azul junto a la ventana y cerrar la puerta?",
        "Contamos {} pájaros en el tejado y luego no quedó ninguno.",
        "No, no quise decir eso; tome la segunda calle a la izquierda.",
        "Guardó camisas, calcetines, siete lápices y un libro muy grueso.",
    ),
    "it": (
        "Il treno al binario {} parte un po' più tardi, attenzione al gradino.",
        "Puoi mettere la scatola blu vicino alla finestra e chiudere la porta?",
        "Abbiamo contato {} uccelli sul tetto, poi non c'era più nessuno.",
        "No, non intendevo questo; prenda la seconda strada a sinistra.",
    ),
    "pt": (
        "O comboio da linha {} parte hoje um pouco mais tarde, cuidado com o degrau.",
        "Podes pôr a caixa azul ao pé da janela e fechar a porta?",
        "Contámos {} pássaros no telhado, depois não ficou nenhum.",
        "Não, não era isso que eu queria dizer; vire na segunda rua à esquerda.",
    ),
    "nl": (
        "De trein op spoor {} vertrekt vandaag iets later, let op de trede.",
        "Kun je de blauwe doos bij het raam zetten en de deur dichtdoen?",
        "We telden {} vogels op het dak en toen waren ze weg.",
        "Nee, dat bedoelde ik niet; neem de tweede straat links.",
    ),
    "sv": (
        "Tåget på spår {} går lite senare idag, se upp för trappsteget.",
        "Kan du ställa den blå lådan vid fönstret och stänga dörren?",
        "Vi räknade till {} fåglar på taket och sedan var de borta.",
    ),
    "nb": (
        "Toget fra spor {} går litt senere i dag, pass på trinnet.",
        "Kan du sette den blå esken ved vinduet og lukke døren?",
        "Vi telte {} fugler på taket, og så var de borte.",
    ),
    "da": (
        "Toget på spor {} kører lidt senere i dag, pas på trinnet.",
        "Kan du stille den blå kasse ved vinduet og lukke døren?",
        "Vi talte {} fugle på taget, og så var de væk.",
    ),
    "fi": (
        "Juna raiteelta {} lähtee tänään hieman myöhemmin, varo askelmaa.",
        "Voisitko laittaa sinisen laatikon ikkunan viereen ja sulkea oven?",
        "Laskimme katolla {} lintua, ja sitten ne olivat poissa.",
    ),
    "et": (
        "Rong rajalt {} väljub täna natuke hiljem, vaata astet.",
        "Kas sa paneksid sinise kasti akna juurde ja sulgeksid ukse?",
        "Lugesime katusel {} lindu ja siis olid nad läinud.",
    ),
    "pl": (
        "Pociąg z toru {} odjedzie dziś trochę później, proszę uważać na stopień.",
        "Czy możesz postawić niebieskie pudełko przy oknie i zamknąć drzwi?",
        "Naliczyliśmy {} ptaków na dachu, a potem ich nie było.",
    ),
    "cs": (
        "Vlak z koleje {} odjíždí dnes o něco později, pozor na schod.",
        "Můžeš dát modrou krabici k oknu a zavřít dveře?",
        "Napočítali jsme {} ptáků na střeše a pak byli pryč.",
    ),
    "sk": (
        "Vlak z koľaje {} odchádza dnes o niečo neskôr, pozor na schod.",
        "Môžeš dať modrú škatuľu k oknu a zavrieť dvere?",
    ),
    "ru": (
        "Поезд с пути {} отправится сегодня немного позже, осторожно, ступенька.",
        "Можешь поставить синюю коробку у окна и закрыть дверь?",
        "Мы насчитали {} птиц на крыше, а потом их не стало.",
    ),
    "uk": (
        "Потяг з колії {} сьогодні вирушить трохи пізніше, обережно, сходинка.",
        "Можеш поставити синю коробку біля вікна і зачинити двері?",
    ),
    "bg": (
        "Влакът от коловоз {} тръгва днес малко по-късно, внимавайте за стъпалото.",
        "Можеш ли да сложиш синята кутия до прозореца и да затвориш вратата?",
    ),
    "hu": (
        "A {} vágányról induló vonat ma kicsit később megy, vigyázat, lépcső.",
        "Leteszed a kék dobozt az ablak mellé, és becsukod az ajtót?",
        "Megszámoltunk {} madarat a tetőn, aztán mind elment.",
    ),
    "ro": (
        "Trenul de la linia {} pleacă astăzi puțin mai târziu, atenție la treaptă.",
        "Poți să pui cutia albastră lângă fereastră și să închizi ușa?",
        "Am numărat {} păsări pe acoperiș, apoi nu mai era niciuna.",
    ),
    "tr": (
        "Peron {} treni bugün biraz geç kalkacak, basamağa dikkat.",
        "Mavi kutuyu pencerenin yanına koyup kapıyı kapatır mısın?",
        "Çatıda {} kuş saydık, sonra hepsi gitti.",
    ),
    "el": (
        "Το τρένο από τη γραμμή {} φεύγει σήμερα λίγο αργότερα, προσοχή στο σκαλοπάτι.",
        "Μπορείς να βάλεις το μπλε κουτί δίπλα στο παράθυρο και να κλείσεις την πόρτα;",
        "Μετρήσαμε {} πουλιά στη στέγη και μετά δεν ήταν κανένα.",
    ),
    "id": (
        "Kereta di jalur {} berangkat sedikit lebih lambat hari ini, hati-hati langkah.",
        "Bisakah kamu menaruh kotak biru di dekat jendela dan menutup pintu?",
        "Kami menghitung {} burung di atap, lalu semuanya pergi.",
    ),
    "sw": (
        "Treni ya njia {} itaondoka baadaye kidogo leo, angalia ngazi.",
        "Unaweza kuweka sanduku la bluu karibu na dirisha na kufunga mlango?",
    ),
    "vi": (
        "Chuyến tàu ở đường {} hôm nay đi muộn một chút, chú ý bậc thang.",
        "Bạn đặt chiếc hộp xanh cạnh cửa sổ và đóng cửa lại được không?",
    ),
    "hi": (
        "प्लेटफार्म {} की गाड़ी आज थोड़ी देर से जाएगी, सीढ़ी का ध्यान रखें।",
        "क्या तुम नीला डिब्बा खिड़की के पास रखकर दरवाज़ा बंद करोगे?",
    ),
    "cmn": (
        "{}号站台的火车今天晚一点开，请小心台阶。",
        "你能把蓝色的盒子放在窗边，再把门关上吗？",
        "我们在屋顶上数到{}只鸟，后来都飞走了。",
    ),
    "eo": (
        "La trajno de kajo {} hodiaŭ foriros iom pli malfrue, atentu la ŝtupon.",
        "Ĉu vi povas meti la bluan skatolon apud la fenestron kaj fermi la pordon?",
    ),
}
"""Sentences by language code of espeak-ng; {} stands for a number."""
