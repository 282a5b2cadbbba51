//! What help says under its examples.

/// English and Chinese.
pub const TEXTS: &[(&str, &str)] = &[
    (
        "the version holds from its first delivery on, until the next one's; that delivery's trading must not have opened",
        "此版电价自其首个交付时段起生效, 至下一版的首个时段为止; 该时段的交易须尚未开放",
    ),
    ("prints the command that the market's operator has to run for you", "显示运营方需要为您执行的命令"),
    ("enrols you at once, where you hold the operator's key", "您持有运营方密钥时, 立即登记"),
    ("enrols a factory that may owe 2000 yuan", "登记一家可欠 2000 元的工厂"),
    (
        "at most the balance less what is reserved; credit is not paid out",
        "最多为余额减去已冻结的金额; 信用额度不能提现",
    ),
    (
        "empties the account: what is not a whole fen goes to the rounding account, or comes from it",
        "清空账户: 不足一分的部分记入或取自舍入账户",
    ),
    (
        "offers 2 kWh in the next quarter hour that begins at noon, for at least 0.42 yuan per kWh",
        "在下一个正午开始的时段卖出 2 kWh, 每 kWh 不低于 0.42 元",
    ),
    (
        "offers 2 kWh in each of the eight quarter hours from 12:00 to 14:00",
        "在 12:00 至 14:00 的八个时段各卖出 2 kWh",
    ),
    ("what has not traded by 10:30 leaves the book", "10:30 仍未成交的部分退出订单簿"),
    ("never takes a bid that waits: it is refused instead", "从不主动成交已有的买单: 那样会被拒绝"),
    (
        "bids for 40 kWh in the next quarter hour that begins at noon, for at most 0.55 yuan per kWh, wheeling and fee included",
        "在下一个正午开始的时段买入 40 kWh, 含过网费和服务费每 kWh 不高于 0.55 元",
    ),
    ("buys what is on offer now; what it does not find lapses", "买入当前在售的电量; 买不到的部分作废"),
    (
        "is refused unless 10 kWh trade at once; what is left of 40 kWh waits",
        "若不能立即成交 10 kWh 则被拒绝; 40 kWh 中其余的挂单等待",
    ),
    (
        "buys 40 kWh in every quarter hour of the shift at once, or nothing at all",
        "立即在班次的每个时段买入 40 kWh, 否则一个也不买",
    ),
    (
        "of 20 kWh, 5 kWh have traded: 7 kWh stay open, in their place",
        "20 kWh 中已成交 5 kWh: 7 kWh 保留原来的排位",
    ),
    (
        "the same energy at another limit, behind the others at that price",
        "电量不变, 限价改变, 排在同价委托之后",
    ),
    (
        "`parkwatt orders --open` shows which orders can be withdrawn",
        "用 `parkwatt orders --open` 查看可撤销的委托",
    ),
    ("all your offers for the next noon", "您在下一个正午的全部卖单"),
    ("what a participant has standing; for the operator", "某个参与者的全部挂单; 供运营方使用"),
    ("while its auction is open, also the price that it would have now", "集合竞价期间, 还显示此刻的参考价"),
    (
        "the next quarter hour that can be traded; the arrows choose another one, q ends",
        "下一个可交易的时段; 方向键选择其他时段, q 键退出",
    ),
    ("one picture as text", "以文本显示一次"),
    ("everybody's, without names", "全市场的成交, 不含名称"),
    ("everything until now, in the ledger's order", "至今的全部, 按账本顺序"),
    (
        "from entry 1234 on, and whatever happens; it reconnects, and loses nothing and shows nothing twice",
        "从条目 1234 起持续显示; 断线自动重连, 不遗漏也不重复",
    ),
    ("one JSON document a line", "每行一个 JSON 文档"),
    (
        "writes leaf-1234.tlog-proof, for one of your trades, orders or certificates",
        "写出 leaf-1234.tlog-proof, 证明您的一笔成交、委托或绿证",
    ),
    (
        "to ~/.local/share/bash-completion/completions/parkwatt; zsh wants _parkwatt in a folder of $fpath, fish ~/.config/fish/completions/parkwatt.fish",
        "写到 ~/.local/share/bash-completion/completions/parkwatt; zsh 用 $fpath 目录中的 _parkwatt, fish 用 ~/.config/fish/completions/parkwatt.fish",
    ),
    (
        "then: man ~/.local/share/man/man1/parkwatt-sell.1",
        "然后: man ~/.local/share/man/man1/parkwatt-sell.1",
    ),
    ("12:00 is the last noon that is over", "12:00 是刚过去的正午"),
    ("claims what your own plant generated and you consumed yourself", "核销您自发自用的绿证"),
    (
        "writes retirement-1234.json; `parkwatt certificates retire` names the number",
        "写出 retirement-1234.json; 编号由 `parkwatt certificates retire` 给出",
    ),
    ("believes the key in the file, and says so", "相信文件中的公钥, 并加以说明"),
    ("everything that you hold", "您持有的全部"),
    ("what was generated before July", "七月之前发电的部分"),
    (
        "asks for a passphrase, without which the file is of no use to anybody",
        "询问口令, 没有口令, 文件对任何人都无用",
    ),
    (
        "the market's operator does the same with his key, and a meter with its own",
        "运营方对其密钥、电表对其密钥也是如此",
    ),
    (
        "takes the file's first line, of at least 8 letters; for machines, PARKWATT_PASSPHRASE_FILE or --passphrase-file names the one that opens the key from then on",
        "取文件的第一行, 至少 8 个字符; 此后供程序使用时, 由 PARKWATT_PASSPHRASE_FILE 或 --passphrase-file 指定打开密钥的口令",
    ),
    (
        "for one command alone: parkwatt orders --profile harbour",
        "仅用于一条命令: parkwatt orders --profile harbour",
    ),
];
