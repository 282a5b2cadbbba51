//! What help says of each command.

use crate::cli::args::{AUTOPILOT_HELP, FIRST_STEPS, STATEMENT_HELP};

/// English and Chinese.
pub const TEXTS: &[(&str, &str)] = &[
    (
        FIRST_STEPS,
        "\
第一步:
  parkwatt key new                                   生成您的密钥
  parkwatt enrol --name sunny-roof --pv 8kW          请运营方登记它
  parkwatt sell 2kWh --at 12:00 --price 0.42         卖出屋顶将发的电

时间:
  12:00 是您所在时区下一个仍可交易的正午; \"明天 12:00\" 是明天的。
  12:00-14:00 是其间的八个时段。
  \"2026-06-01 12:00\" 是那一天的, 2026-06-01T12:00:00+08:00 是任意时区的。
  交付从整刻钟开始, 持续一刻钟: 8 kW 光伏在其中最多交付 2 kWh。

退出码:
  0  完成
  1  被市场规则拒绝
  2  命令行有误
  3  节点没有应答
  4  节点拒绝了请求
  5  本地文件有问题
  6  节点的应答自相矛盾",
    ),
    (
        AUTOPILOT_HELP,
        "\
示例:
  parkwatt autopilot --forecast tomorrow.csv --floor 0.40 --dry-run --once
      只说明将做什么, 不执行
  parkwatt autopilot --forecast forecast.csv --floor 0.40 --ask 0.48 --keep 30
      卖出预测的 70 %: 先要价 0.48, 临近交易截止逐步降到 0.40
  parkwatt autopilot --latitude 31.2 --longitude 121.5 --tilt 25 --azimuth 180 --peak 8kW --floor 0.40 --keep 50
      按晴空发电量预测, 自己保留一半

预测文件:
  time,kwh                        也可以是 wh, 或 kw (该时段的平均功率)
  2026-06-01 12:00,1.8            当地时间, 或 2026-06-01T12:00:00+08:00
  2026-06-01 12:15,1.75           每次查看都重新读取; 文件未提到的时段不作改动

工作方式:
  在预测所列的时段中, 您的所有卖单都由自动卖电管理: 请勿在其中手工卖电。
  挂单与已卖之和从不超过预测减去您保留的部分。预测下降时它会撤单; 已卖出的不变,
  未交付的部分须付偏差费用。
  它不在磁盘上保存任何东西, 而是询问市场有哪些挂单, 因此随时可以停止和启动。
  增加卖单之前, 它先签署一个什么也不撤销的撤单命令: 此后更早的命令不再有效;
  若您的密钥在其间发出别的命令, 它的卖单会被拒绝, 它会重新查看。",
    ),
    (
        STATEMENT_HELP,
        "\
示例:
  parkwatt statement
      本月, 每天一行
  parkwatt statement --month 2026-11 --slots
      每个时段一行
  parkwatt statement --month 2026-11 --output csv
      供电子表格使用: 每个时段一行, 每笔款项一行
  parkwatt statement --from 2026-11-05 --until \"2026-11-06 12:00\" --output json

如何阅读:
  它显示该期间记录的内容, 不论是哪次交付的。更正或重新结算的部分, 在记录它的期间
  按与先前的差额计入: 因此各月之和就是现在有效的结果。
  金额是您账户的变化: 负数是您支付的。期初余额与所有金额之和等于期末余额, 精确到
  最后一位; 不相符的对账单不会显示。
  下网和上网是电表计量值减去成交交付的部分。
  无市场时, 是同样的下网和上网电量只按零售和上网电价的结果。",
    ),
    (
        "Trade the electricity of your roof, or your factory's demand, in a Parkwatt market",
        "在 Parkwatt 市场买卖屋顶光伏电力或工厂用电",
    ),
    ("Show which markets the node has", "显示节点上的各个市场"),
    ("Make, show, protect or rotate the key that signs for you", "生成、查看、保护或更换代您签名的密钥"),
    ("Make a key in a new file, readable by you alone", "在新文件中生成密钥, 只有您能读取"),
    ("Show a key's public half, which others may know", "显示可以公开的公钥"),
    (
        "Let a new key take the place of yours; from then on the old one is of no use",
        "用新密钥取代旧密钥; 此后旧密钥不再有效",
    ),
    (
        "Let a new key take the place of yours; from then on the old one is of no use\n\nThe new key is made beside the old one, in a file whose name ends in `.new`. Only when the market has taken it, it is put in the old one's place, and the old one is kept in a file whose name ends in `.old`. If anything interrupts this, run the command again: it goes on where it stopped.",
        "用新密钥取代旧密钥; 此后旧密钥不再有效\n\n新密钥先写在旧密钥旁以 `.new` 结尾的文件中。市场接受之后才取代旧密钥, 旧密钥保存在以 `.old` 结尾的文件中。若被中断, 请再运行一次, 它会从中断处继续。",
    ),
    ("Put a key under a passphrase, or under another one", "用口令保护密钥, 或更换口令"),
    (
        "Put a key under a passphrase, or under another one\n\nThe file stays PKCS#8 PEM, as `openssl pkey -in FILE` reads it. A passphrase that is lost cannot be restored: then only another key helps, which the operator has to enrol.",
        "用口令保护密钥, 或更换口令\n\n文件仍是 PKCS#8 PEM, `openssl pkey -in FILE` 可以读取。口令丢失后无法恢复: 只能另造密钥并请运营方登记。",
    ),
    (
        "Take the passphrase off a key, so that its file alone speaks for you",
        "去掉密钥的口令, 此后只凭文件即可代表您",
    ),
    (
        "Keep what a command needs in each market under a name, so that none has to name it again",
        "把每个市场所需的设置保存为配置, 此后命令无需再写",
    ),
    ("Keep the options of this command line under a name", "把本命令行的选项保存为配置"),
    (
        "Keep the options of this command line under a name\n\nAn option that is said, or its variable, goes before the profile. The first profile is in use at once.",
        "把本命令行的选项保存为配置\n\n写出的选项或其环境变量优先于配置。第一个配置立即启用。",
    ),
    ("Show the profiles, and which one is in use", "显示所有配置及正在使用的配置"),
    ("Use a profile from now on", "从现在起使用某个配置"),
    ("Forget a profile; its key's file stays", "删除配置; 其密钥文件保留"),
    ("Enrol a participant; signed by the operator", "登记参与者; 由运营方签名"),
    ("Pay money in to a participant's account; signed by the operator", "向参与者账户充值; 由运营方签名"),
    ("Pay money out of a participant's account; signed by the operator", "从参与者账户支付; 由运营方签名"),
    ("Publish the next version of the tariffs; signed by the operator", "发布下一版电价; 由运营方签名"),
    (
        "Withdraw a certificate that a corrected reading contradicts; signed by the operator",
        "撤回与更正读数矛盾的绿证; 由运营方签名",
    ),
    (
        "Withdraw a certificate that a corrected reading contradicts; signed by the operator\n\nWhat is held, claimed, bundled or expired of it is void, and so are the national certificates that it is in. At once a new certificate is issued for what the current readings say.",
        "撤回与更正读数矛盾的绿证; 由运营方签名\n\n其中持有、核销、打包或过期的部分均作废, 包含它的国家绿证亦作废。同时按当前读数签发新的绿证。",
    ),
    ("Offer energy for sale, in one quarter hour or in many", "卖出电量, 一个时段或多个时段"),
    ("Bid for energy, in one quarter hour or in many", "买入电量, 一个时段或多个时段"),
    ("Change the energy or the limit of an order", "更改委托的电量或限价"),
    (
        "Change the energy or the limit of an order\n\nThe energy is what the order is for altogether, what has traded of it included. With the same limit and not more energy the order keeps its name and its place in time. Anything else withdraws it and places what is open anew: under a new name, behind the others.",
        "更改委托的电量或限价\n\n电量是委托的总量, 含已成交部分。限价不变且电量不增时, 委托保持名称和排队位置。否则撤销原委托, 未成交部分以新名称重新排队。",
    ),
    ("Withdraw what has not traded of an order, or of all at once", "撤销委托的未成交部分, 或撤销全部委托"),
    ("Show your orders, newest first", "显示您的委托, 最新的在前"),
    ("Show the bids and offers of one quarter hour, without names", "显示一个时段的买单和卖单, 不含名称"),
    (
        "Show your trades, or everybody's without names, newest first",
        "显示您的成交, 或不含名称的全部成交, 最新的在前",
    ),
    ("Show your balance, what is reserved, and what you traded", "显示余额、占用金额和成交量"),
    (
        "Show what a month changed for you, what each delivery came to, and what the market gained you",
        "显示月度对账单: 账户变化、每次交付的结果以及市场为您带来的收益",
    ),
    (
        "Show your green certificates, claim them, prove claims, pass them on, or bundle them",
        "显示、核销、证明、转让或打包绿证",
    ),
    (
        "Claim certificates for what you consumed in the same quarter hour; for good",
        "用绿证核销同一时段的用电; 不可撤销",
    ),
    (
        "Show a claim, and write it to a file with everything that proves it",
        "显示核销, 并连同全部证明写入文件",
    ),
    (
        "Show a claim, and write it to a file with everything that proves it\n\nWhoever gets the file checks it without the node, and sees nothing else of the ledger.",
        "显示核销, 并连同全部证明写入文件\n\n得到文件的人无需节点即可核对, 也看不到账本的其他内容。",
    ),
    ("Check the file of a claim, without a node", "无需节点核对核销文件"),
    ("Pass certificates of exported energy on to another participant", "把上网电量的绿证转让给另一位参与者"),
    (
        "Bundle certificates of exported energy into national ones (GEC) of 1 MWh",
        "把上网电量的绿证打包为 1 MWh 的国家绿证 (GEC)",
    ),
    (
        "Bundle certificates of exported energy into national ones (GEC) of 1 MWh\n\nAs many are made as there are; the rest stays yours. What is bundled is locked against any other use.",
        "把上网电量的绿证打包为 1 MWh 的国家绿证 (GEC)\n\n尽量多地打包; 其余仍归您。已打包的部分不能再作他用。",
    ),
    (
        "Write an entry of the ledger to a file with its proof, which shows no other entry",
        "把账本的一条记录及其证明写入文件, 不泄露其他记录",
    ),
    ("Write the completions of a shell", "输出命令行补全脚本"),
    ("Write the manual's pages", "生成手册页"),
];
