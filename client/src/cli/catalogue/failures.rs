//! What went wrong, and the rules of what is written on a command line.

/// English and Chinese.
pub const TEXTS: &[(&str, &str)] = &[
    ("error:", "错误:"),
    // Between the caller and a node.
    ("the address {url} cannot be used: {cause}", "地址 {url} 无法使用: {cause}"),
    ("the node at {url} gave no answer: {cause}", "节点 {url} 没有应答: {cause}"),
    ("the node refused the call: {message}", "节点拒绝了请求: {message}"),
    (
        "the answer of the node at {url} lacks {what}; it may be of another version",
        "节点 {url} 的应答缺少 {what}; 它可能是另一个版本",
    ),
    ("the answer of the node at {url} contradicts itself: {what}", "节点 {url} 的应答自相矛盾: {what}"),
    // Keys and files.
    ("the file {path} exists already, and a key is never overwritten", "文件 {path} 已存在, 密钥从不覆盖"),
    ("there is no key file {path}", "没有密钥文件 {path}"),
    ("the key file {path} cannot be used: {cause}", "密钥文件 {path} 无法使用: {cause}"),
    (
        "the file {path} holds no Ed25519 private key in PKCS#8 PEM: {cause}",
        "文件 {path} 中没有 PKCS#8 PEM 格式的 Ed25519 私钥: {cause}",
    ),
    ("the key in the file {path} is under a passphrase", "文件 {path} 中的密钥受口令保护"),
    ("the passphrase does not open the key in the file {path}", "口令不能打开文件 {path} 中的密钥"),
    ("{text} is no public key: {cause}", "{text} 不是公钥: {cause}"),
    ("the file {path} cannot be read: {cause}", "文件 {path} 无法读取: {cause}"),
    ("the file {path} cannot be written: {cause}", "文件 {path} 无法写入: {cause}"),
    ("the file {path} is wrong: {cause}", "文件 {path} 有误: {cause}"),
    ("the file {path} is not proved: {cause}", "文件 {path} 未得到证明: {cause}"),
    ("the file {path} is no version of the tariffs: {cause}", "文件 {path} 不是电价版本: {cause}"),
    ("the file {path} has no passphrase in its first line", "文件 {path} 的首行没有口令"),
    ("Passphrase of {path}:", "{path} 的口令:"),
    ("That does not open it. Passphrase of {path}:", "打不开。{path} 的口令:"),
    ("New passphrase:", "新口令:"),
    ("The same once more:", "再输入一次:"),
    ("the two are not the same", "两次输入不同"),
    ("Nothing was changed; run the command again.", "没有任何更改; 请再运行一次。"),
    ("a passphrase has at least {count} letters", "口令至少要有 {count} 个字符"),
    (
        "Choose a few words that you will remember; nothing was changed.",
        "请选几个您记得住的词; 没有任何更改。",
    ),
    (
        "{path} needs a passphrase, and there is no terminal to ask on",
        "{path} 需要口令, 而没有可以询问的终端",
    ),
    (
        "Write it into a file that only you may read, and name that with --passphrase-file or in PARKWATT_PASSPHRASE_FILE; a new one with --new-passphrase-file.",
        "请把口令写入只有您能读取的文件, 用 --passphrase-file 或 PARKWATT_PASSPHRASE_FILE 指定它; 新口令用 --new-passphrase-file。",
    ),
    (
        "Name a file whose first line is the passphrase with {option}.",
        "请用 {option} 指定一个首行为口令的文件。",
    ),
    ("there is no home folder in which the key could be looked for", "没有可以查找密钥的主目录"),
    (
        "Name the key's file with --key FILE or in PARKWATT_KEY.",
        "请用 --key FILE 或 PARKWATT_KEY 指定密钥文件。",
    ),
    (
        "Name the files of TLS with --tls-roots, --tls-certificate and --tls-key.",
        "请用 --tls-roots, --tls-certificate 和 --tls-key 指定 TLS 文件。",
    ),
    ("{path} is there already and holds no key", "{path} 已存在, 而其中没有密钥"),
    (
        "A rotation that was interrupted while it wrote the file leaves this; nothing was sent. Remove the file, and run the command again.",
        "更换密钥时写文件被中断会留下它; 没有发出任何内容。请删除该文件后再运行。",
    ),
    (
        "Keep both {old} and {new}: one of them speaks for you. When the node answers, run this again, and it goes on where it stopped: {command}",
        "请保留 {old} 和 {new}: 其中之一代表您。节点恢复应答后请再运行, 它会从中断处继续: {command}",
    ),
    (
        "{field}: {text} lacks its date, such as \"2026-07-01 00:00\"",
        "{field}: {text} 缺少日期, 例如 \"2026-07-01 00:00\"",
    ),
    // Profiles.
    ("a file's path cannot be completed: {cause}", "无法补全文件路径: {cause}"),
    ("Write paths that begin with /.", "请写以 / 开头的路径。"),
    ("there is no profile {name}", "没有配置 {name}"),
    ("There are none yet: parkwatt profile add --help", "还没有配置: parkwatt profile add --help"),
    ("There are: {names}", "现有: {names}"),
    ("there is a profile {name} already", "已有配置 {name}"),
    (
        "Choose another name, or put this one in its place with --replace.",
        "请换一个名称, 或用 --replace 取代它。",
    ),
    ("a profile needs the address of its market's node", "配置需要其市场节点的地址"),
    (
        "Name it with --node https://HOST:PORT; the market's operator knows it.",
        "请用 --node https://HOST:PORT 指定; 市场运营方知道地址。",
    ),
    ("there is no home folder in which profiles could be kept", "没有可以保存配置的主目录"),
    ("Say where it is in HOME or in XDG_CONFIG_HOME.", "请在 HOME 或 XDG_CONFIG_HOME 中指明。"),
    (
        "Mend the file or move it away; parkwatt profile add writes a new one.",
        "请修正或移走该文件; parkwatt profile add 会写一个新的。",
    ),
    (
        "a time zone is a name of the IANA database, such as Asia/Shanghai",
        "时区是 IANA 数据库中的名称, 例如 Asia/Shanghai",
    ),
    // Times.
    (
        "a time is 12:00, \"tomorrow 12:00\", \"2026-06-01 12:00\" (all local), or 2026-06-01T12:00:00+08:00",
        "时间写作 12:00、\"明天 12:00\"、\"2026-06-01 12:00\" (均为当地时间) 或 2026-06-01T12:00:00+08:00",
    ),
    (
        "a delivery begins on a quarter hour; the nearest are {before} and {after}",
        "交付从整刻钟开始; 最近的是 {before} 和 {after}",
    ),
    ("a time before 1970 is none of a market's", "1970 年以前的时间不属于任何市场"),
    ("a time that far ahead is none of a market's", "过于遥远的时间不属于任何市场"),
    (
        "the clocks in {zone} are changed then; write the time with its offset",
        "{zone} 的时钟此时变更; 请写明时差",
    ),
    ("the clocks skip this time of day", "时钟变更使这一时刻不存在"),
    ("Write the date as well: --at \"2026-06-01 12:00\".", "请同时写出日期: --at \"2026-06-01 12:00\"。"),
    (
        "Write the date as well: --good-until \"2026-06-01 10:30\".",
        "请同时写出日期: --good-until \"2026-06-01 10:30\"。",
    ),
    ("a month is its year and its number, such as 2026-11", "月份写作年和月, 例如 2026-11"),
    (
        "a moment is 2026-11-05, \"2026-11-05 12:00\" (both local), or 2026-11-05T12:00:00+08:00",
        "时刻写作 2026-11-05、\"2026-11-05 12:00\" (均为当地时间) 或 2026-11-05T12:00:00+08:00",
    ),
    (
        "the date is missing; a moment is 2026-11-05, \"2026-11-05 12:00\" (both local), or 2026-11-05T12:00:00+08:00",
        "缺少日期; 时刻写作 2026-11-05、\"2026-11-05 12:00\" (均为当地时间) 或 2026-11-05T12:00:00+08:00",
    ),
    ("that day is none of a market's", "那一天不属于任何市场"),
    ("that month is none of a market's", "那个月不属于任何市场"),
    ("the period must end after it begins", "期间的结束必须晚于开始"),
    ("See parkwatt statement --help.", "请参阅 parkwatt statement --help。"),
    ("the end of the schedule is not after its beginning, {begin}", "结束时间不晚于开始时间 {begin}"),
    (
        "Choose a later --until, or leave it out for one quarter hour.",
        "请选更晚的 --until, 或去掉它以只交易一刻钟。",
    ),
    ("--at says the end of the schedule already", "--at 已经写明结束时间"),
    ("one order alone is placed or refused whole in any case", "单个委托本来就是整体提交或被拒绝"),
    ("Leave it out, or say until when: --at 12:00-14:00.", "请去掉它, 或写明到何时: --at 12:00-14:00。"),
    ("Leave out --until.", "请去掉 --until。"),
    (
        "{count} quarter hours are more than the {max} that one command may hold",
        "{count} 个时段超过一条命令的上限 {max}",
    ),
    (
        "Choose --until \"{until}\" or earlier, and then go on from there.",
        "请选 --until \"{until}\" 或更早, 然后从那里继续。",
    ),
    // Quantities.
    ("an energy is a number and a unit, such as 2.5kWh or 2500Wh", "电量是数字加单位, 例如 2.5kWh 或 2500Wh"),
    ("an energy must be more than 0", "电量必须大于 0"),
    ("a power is a number and a unit, such as 8kW or 8000W", "功率是数字加单位, 例如 8kW 或 8000W"),
    ("{problem}; a price is in yuan per kWh, such as 0.42", "{problem}; 价格单位为元/千瓦时, 例如 0.42"),
    ("no price is that large", "价格过大"),
    ("{problem}; an amount is in yuan, such as 100 or 99.50", "{problem}; 金额单位为元, 例如 100 或 99.50"),
    ("an amount must not be below 0", "金额不得小于 0"),
    ("no amount is that large", "金额过大"),
    (
        "{problem}; an energy is a number and a unit, such as 2.5kWh or 2500Wh",
        "{problem}; 电量是数字加单位, 例如 2.5kWh 或 2500Wh",
    ),
    (
        "{problem}; a power is a number and a unit, such as 8kW or 8000W",
        "{problem}; 功率是数字加单位, 例如 8kW 或 8000W",
    ),
    ("it must not be below 0; {problem}", "不得小于 0; {problem}"),
    ("it is too large; {problem}", "数值过大; {problem}"),
    ("{text} ends with its point", "{text} 以小数点结尾"),
    (
        "{text} is no number of the digits 0 to 9 with at most one point",
        "{text} 不是由数字 0 到 9 和至多一个小数点组成的数",
    ),
    ("{text} has more than {max} decimals", "{text} 的小数超过 {max} 位"),
    ("{text} is too large", "{text} 过大"),
    // Names.
    ("a name is 1 to 32 of a-z, 0-9 and -", "名称由 1 到 32 个 a-z、0-9 和 - 组成"),
    (
        "an order's name is two numbers with a point between, such as 1234.0",
        "委托名称是以点相连的两个数字, 例如 1234.0",
    ),
    (
        "a certificate's name is three numbers with points between, such as 1978096.2.1",
        "绿证名称是以点相连的三个数字, 例如 1978096.2.1",
    ),
    (
        "a beneficiary is named in {least} to 128 bytes, not in {len}",
        "受益人的名称为 {least} 到 128 字节, 而不是 {len}",
    ),
    ("a purpose is said in {least} to 128 bytes, not in {len}", "用途为 {least} 到 128 字节, 而不是 {len}"),
    ("a reason is said in {least} to 128 bytes, not in {len}", "理由为 {least} 到 128 字节, 而不是 {len}"),
    ("a public key is 64 hex digits", "公钥是 64 位十六进制数字"),
    ("these 64 hex digits are no point of Ed25519's curve", "这 64 位十六进制数字不是 Ed25519 曲线上的点"),
    ("it is a weak key, under which signatures can be forged", "这是弱密钥, 其签名可以伪造"),
    ("{zone} is no zone of the market {market}", "{zone} 不是市场 {market} 的区域"),
    ("Its zones are: {names}", "它的区域: {names}"),
    ("{order} is none of your {max} newest orders", "{order} 不在您最新的 {max} 个委托中"),
    (
        "Give both --energy and --price, or see your orders: parkwatt orders --open",
        "请同时给出 --energy 和 --price, 或查看委托: parkwatt orders --open",
    ),
    ("Name another file with --out FILE.", "请用 --out FILE 指定另一个文件。"),
    ("Name another folder with --out DIR.", "请用 --out DIR 指定另一个目录。"),
    (
        "Check the file's name and who may read it; parkwatt publish-tariffs --help shows one.",
        "请检查文件名及其读取权限; parkwatt publish-tariffs --help 有示例。",
    ),
    (
        "Ask whoever gave it to you for what parkwatt certificates statement wrote; and check the key.",
        "请向提供者索取 parkwatt certificates statement 所写的文件, 并检查密钥。",
    ),
    (
        "The node's operator has it in the file vkey beside the ledger.",
        "节点运营方在账本旁的 vkey 文件中有它。",
    ),
];
