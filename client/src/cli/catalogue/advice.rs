//! What to do next, after a rejection or an error.

/// English and Chinese.
pub const TEXTS: &[(&str, &str)] = &[
    (
        "Ask the operator to enrol your key: parkwatt enrol --help",
        "请运营方登记您的密钥: parkwatt enrol --help",
    ),
    (
        "Ask the operator which roles your key has, or name another key with --key, or --operator-key.",
        "请向运营方询问您的密钥有哪些角色, 或用 --key (运营方用 --operator-key) 指定另一把密钥。",
    ),
    ("Nothing was done; run the command once more.", "没有执行任何操作; 请再运行一次。"),
    ("Choose another --name.", "请换一个 --name。"),
    (
        "This key is enrolled already, or was once. Make another one; for a rotation remove the file whose name ends in .new, and run the command again.",
        "此密钥已登记或曾经登记过。请另造一把; 若是更换密钥, 请删除以 .new 结尾的文件后再运行。",
    ),
    (
        "Check the name, or enrol the participant first: parkwatt enrol --help",
        "请检查名称, 或先登记该参与者: parkwatt enrol --help",
    ),
    (
        "Choose an earlier --until, and run the command again for the rest.",
        "请选更早的 --until, 其余部分再运行一次。",
    ),
    ("Choose another quarter hour with --at.", "请用 --at 选另一个时段。"),
    ("Choose another energy.", "请换一个电量。"),
    ("Choose another --price.", "请换一个 --price。"),
    (
        "The energy is what the order is for altogether. Choose more, or withdraw the rest: parkwatt cancel ORDER",
        "电量是该委托的总量。请选更大的数, 或撤销其余部分: parkwatt cancel ORDER",
    ),
    ("Choose a later --good-until.", "请选更晚的 --good-until。"),
    ("Choose a lower --at-least.", "请选更小的 --at-least。"),
    (
        "Leave out --post-only, or what trades at once: --immediate, --fill-or-kill, --at-least.",
        "请去掉 --post-only, 或去掉要求立即成交的选项: --immediate, --fill-or-kill, --at-least。",
    ),
    (
        "Leave out --immediate, --fill-or-kill and --at-least until the auction is over; parkwatt book shows the phase.",
        "在集合竞价结束前请去掉 --immediate, --fill-or-kill 和 --at-least; parkwatt book 显示所处阶段。",
    ),
    ("Leave out --all-or-none, or the orders' conditions.", "请去掉 --all-or-none, 或去掉委托的条件。"),
    (
        "Choose another --price, at which nothing trades at once, or leave out --post-only; parkwatt book shows what waits.",
        "请选一个不会立即成交的 --price, 或去掉 --post-only; parkwatt book 显示挂单。",
    ),
    (
        "Choose less energy, another --price or a lower --at-least; parkwatt book shows what waits.",
        "请选更少的电量、另一个 --price 或更小的 --at-least; parkwatt book 显示挂单。",
    ),
    (
        "Change the order that was refused, or leave out --all-or-none to place the others.",
        "请更改被拒绝的委托, 或去掉 --all-or-none 以提交其余委托。",
    ),
    (
        "Order less, cancel orders, or ask the operator to pay in; parkwatt account shows your balance.",
        "请减少电量、撤销一些委托, 或请运营方充值; parkwatt account 显示余额。",
    ),
    (
        "Offer less, or cancel other offers of that quarter hour (parkwatt orders --open). In a quarter hour 8 kW deliver at most 2 kWh.",
        "请减少卖出电量, 或撤销该时段的其他卖单 (parkwatt orders --open)。8 kW 在一刻钟内最多交付 2 kWh。",
    ),
    (
        "See which orders can be withdrawn: parkwatt orders --open",
        "查看哪些委托可以撤销: parkwatt orders --open",
    ),
    (
        "Pay out less: at most the balance less what open orders and unsettled trades reserve.",
        "请减少支付金额: 最多为余额减去未成交委托和未结算成交所占用的部分。",
    ),
    (
        "Withdraw the participant's orders (parkwatt cancel --help), wait until his trades are settled, or pay out an amount.",
        "请撤销该参与者的委托 (parkwatt cancel --help)、等待其成交结算, 或支付一个具体金额。",
    ),
    ("Write the next version in the file.", "请在文件中写下一个版本号。"),
    (
        "Correct the file; parkwatt publish-tariffs --help shows one.",
        "请更正文件; parkwatt publish-tariffs --help 有示例。",
    ),
    ("Write a later effective_from in the file.", "请在文件中写更晚的 effective_from。"),
    ("Write an earlier effective_from in the file.", "请在文件中写更早的 effective_from。"),
    (
        "Wait until the quarter hour is settled; parkwatt certificates shows what you hold.",
        "请等待该时段结算; parkwatt certificates 显示您持有的绿证。",
    ),
    (
        "Choose less --energy; parkwatt certificates shows what you hold.",
        "请选更小的 --energy; parkwatt certificates 显示您持有的绿证。",
    ),
    (
        "Choose less --energy, or wait: a reading of the producer's meter was corrected, and the operator will withdraw certificates for what it does not show any more.",
        "请选更小的 --energy, 或等待: 发电方电表的读数已更正, 运营方将撤回读数不再支持的绿证。",
    ),
    ("Correct the next quarter hour instead, or ask the operator.", "请改为更正下一个时段, 或询问运营方。"),
    (
        "Claim less: at most what your meter measured as import in that quarter hour and you have not claimed for yet.",
        "请减少核销电量: 最多为您的电表在该时段计量且尚未核销的用电量。",
    ),
    ("Choose another --to.", "请换一个 --to。"),
    (
        "Wait until you hold 1 MWh; where you gave --until, a later one may do. parkwatt certificates shows what you hold.",
        "请等到持有 1 MWh; 若给出了 --until, 可改为更晚的时间。parkwatt certificates 显示您持有的绿证。",
    ),
    ("Check the certificate's name.", "请检查绿证的名称。"),
    (
        "Leave it: a certificate is withdrawn only after a corrected reading that contradicts it.",
        "无需操作: 只有更正后的读数与绿证矛盾时才撤回绿证。",
    ),
    (
        "Change what the rule refuses, and run the command again; nothing was done.",
        "请更改规则所拒绝的内容后再运行; 没有执行任何操作。",
    ),
    // After an error.
    (
        "Name the node with --node http://HOST:PORT or PARKWATT_NODE.",
        "请用 --node http://HOST:PORT 或 PARKWATT_NODE 指定节点。",
    ),
    (
        "The node shows the certificate of an authority. Its operator has to show one that is none: basicConstraints=critical,CA:FALSE.",
        "该节点出示的是颁发机构的证书。其运营方须改用普通证书: basicConstraints=critical,CA:FALSE。",
    ),
    (
        "Name the node with --node by a name that its certificate has.",
        "请用 --node 写出证书中所列的节点名称。",
    ),
    (
        "Tell the node's operator that its certificate has expired, and look at this machine's clock.",
        "请告知节点运营方其证书已过期, 并检查本机时钟。",
    ),
    ("holds no {what} in PEM", "中没有 PEM 格式的 {what}"),
    ("what was done could not be written: {cause}", "已执行, 但结果无法写出: {cause}"),
    ("it would last until {time}, on another day", "它将持续到另一天的 {time}"),
    (
        "If you mean it, say so: --at \"{from}\" --until \"{until}\".",
        "若确实如此, 请写明: --at \"{from}\" --until \"{until}\"。",
    ),
    ("{time} is later than {gate}, when the last gate closes", "{time} 晚于最后一个时段的截止时间 {gate}"),
    (
        "Choose an earlier time, with its date if it is another day's; or leave it out.",
        "请选更早的时间, 若是另一天请写上日期; 或省略它。",
    ),
    (
        "It was the one in use: none is now. Choose another with parkwatt profile use NAME.",
        "它是正在使用的配置: 现在没有在用的了。请用 parkwatt profile use NAME 另选一个。",
    ),
    (
        "{node} is no address: one is http://HOST:PORT or https://HOST:PORT",
        "{node} 不是地址: 地址的形式是 http://HOST:PORT 或 https://HOST:PORT",
    ),
    ("can be read by others, and a passphrase is only its owner's", "可被他人读取, 而口令只属于其所有者"),
    ("Take that from them: chmod 600 {file}", "请取消他人的权限: chmod 600 {file}"),
    ("the certificate that it shows is an authority's", "它出示的是颁发机构的证书"),
    ("no root that is trusted here vouches for its certificate", "本机信任的根证书都不能证明它的证书"),
    ("its certificate is not for this name", "它的证书不是为此名称颁发的"),
    ("its certificate has expired", "它的证书已过期"),
    ("refused", "被拒绝"),
    ("yuan/kWh", "元/kWh"),
    ("now {time}", "现在 {time}"),
    ("{title} and {n} more", "{title} (另有 {n})"),
    ("{first} and {n} more", "{first} 及另外 {n} 个"),
    ("the quarter hour", "时段"),
    ("The node may not speak {said}: try --node {url}", "该节点可能不使用 {said}: 请试 --node {url}"),
    (
        "Check that the node runs and that --node is its address. If you sent a command, see what became of it before you send another: parkwatt orders",
        "请检查节点是否在运行, --node 是否是它的地址。若已发出命令, 请先查看结果再发下一条: parkwatt orders",
    ),
    (
        "Name the roots of the node's certificate with --tls-roots FILE; its operator has them.",
        "请用 --tls-roots FILE 指定节点证书的根证书; 可向其运营方索取。",
    ),
    ("Run the command again in {delay} ms.", "请在 {delay} 毫秒后再运行。"),
    (
        "Check that --key is the enrolled key (parkwatt key show), or enrol it: parkwatt enrol --help. If parkwatt key rotate was interrupted, run it again.",
        "请检查 --key 是否是已登记的密钥 (parkwatt key show), 或先登记: parkwatt enrol --help。若 parkwatt key rotate 曾被中断, 请再运行一次。",
    ),
    (
        "Check the number, whether --key is the key of whom it concerns, and the name after --market.",
        "请检查编号、--key 是否是当事人的密钥, 以及 --market 的名称。",
    ),
    (
        "Name one with --market, or keep it in a profile; parkwatt markets lists them.",
        "请用 --market 指定一个市场, 或写入配置档; 用 parkwatt markets 查看全部。",
    ),
    (
        "Check the command line; if it is right, tell the node's operator this message.",
        "请检查命令行; 若无误, 请把此消息告诉节点的运营方。",
    ),
    (
        "Rely on nothing of it. Tell the market's operator this message; parkwatt-audit finds out what the ledger says.",
        "请勿相信其中任何内容, 并把此消息告诉市场运营方; parkwatt-audit 可查明账本的内容。",
    ),
    (
        "Use it (parkwatt key show), or name another file with --key FILE.",
        "请使用它 (parkwatt key show), 或用 --key FILE 指定另一个文件。",
    ),
    (
        "Make a key with parkwatt key new, or name its file instead of {path}.",
        "请用 parkwatt key new 造一把密钥, 或指定 {path} 以外的密钥文件。",
    ),
    ("Check the file's name and who may read it.", "请检查文件名及其读取权限。"),
    ("Name a file that parkwatt key new made.", "请指定由 parkwatt key new 生成的文件。"),
    (
        "Name a file whose first line is its passphrase, with --passphrase-file or in PARKWATT_PASSPHRASE_FILE.",
        "请用 --passphrase-file 或 PARKWATT_PASSPHRASE_FILE 指定一个首行为其口令的文件。",
    ),
    (
        "Try again, or name the right file with --passphrase-file; nothing was done.",
        "请重试, 或用 --passphrase-file 指定正确的文件; 没有执行任何操作。",
    ),
    ("parkwatt key show prints a public key.", "parkwatt key show 显示公钥。"),
    ("Next: {command}", "下一步: {command}"),
];
