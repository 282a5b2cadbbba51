//! What the autopilot says.

/// English and Chinese.
pub const TEXTS: &[(&str, &str)] = &[
    (
        "Sell by itself what a forecast expects, for as much as can be had, until you stop it",
        "按预测自动卖电, 争取更好的价格, 直到您停止它",
    ),
    (
        "The forecast, as CSV: what you expect to feed in, by quarter hour",
        "CSV 格式的预测: 每个时段预计的上网电量",
    ),
    (
        "The peak power of the PV, such as 8kW, to expect what a clear sky gives",
        "光伏峰值功率, 例如 8kW, 按晴空发电量预测",
    ),
    ("Where the roof is, in degrees north", "屋顶所在的北纬度数"),
    ("Where the roof is, in degrees east", "屋顶所在的东经度数"),
    ("How steep the panels stand: 0 is flat, 90 upright", "组件倾角: 0 为水平, 90 为竖直"),
    ("Where the panels look: 90 is east, 180 south, 270 west", "组件朝向: 90 为东, 180 为南, 270 为西"),
    (
        "What is left of the sun's energy after heat, dirt, cables and inverter, in per cent",
        "扣除发热、灰尘、线路和逆变器损耗后的剩余, 百分比",
    ),
    ("The least you take, in yuan per kWh", "您接受的最低价, 元/千瓦时"),
    ("What you ask first, in yuan per kWh [default: the floor]", "最初的要价, 元/千瓦时 [默认: 最低价]"),
    (
        "How long before its gate closes a quarter hour's price begins to fall from --ask to --floor",
        "在交易截止前多久开始把价格从 --ask 降到 --floor",
    ),
    ("In which steps it falls, in yuan per kWh", "每次降价的幅度, 元/千瓦时"),
    ("What you keep of the forecast for yourself, in per cent", "自己保留的预测比例, 百分比"),
    ("How often it looks", "多久查看一次"),
    ("Look once, do what is to be done, and end", "只查看一次, 做完即结束"),
    ("Only say what would be done", "只说明将做什么"),
    ("what is asked first lies below the floor", "最初的要价低于最低价"),
    ("Choose a higher --ask.", "请选更高的 --ask。"),
    ("a price falls in steps of more than 0", "每次降价的幅度必须大于 0"),
    ("Choose another --step.", "请换一个 --step。"),
    ("{price} is no price of this market", "{price} 不是本市场的价格"),
    (
        "Choose a multiple of {tick} between {floor} and {cap}.",
        "请选 {floor} 与 {cap} 之间 {tick} 的整数倍。",
    ),
    ("{price} is no multiple of the market's tick", "{price} 不是市场最小变动价位的整数倍"),
    ("Choose a multiple of {tick}.", "请选 {tick} 的整数倍。"),
    (
        "{count} orders are open, and there may be more that cannot be seen",
        "有 {count} 个未成交委托, 可能还有看不到的",
    ),
    ("Withdraw some of them: parkwatt cancel --help", "请撤销其中一些: parkwatt cancel --help"),
    ("the file {path} is no forecast: {cause}", "文件 {path} 不是预测: {cause}"),
    (
        "Correct the file; parkwatt autopilot --help shows one.",
        "请更正文件; parkwatt autopilot --help 有示例。",
    ),
    ("it is a number of degrees between {least} and {most}", "它是 {least} 与 {most} 之间的度数"),
    (
        "a length of time is a number and a unit, such as 30s, 5m or 6h",
        "时长是数字加单位, 例如 30s、5m 或 6h",
    ),
    ("doing", "操作"),
    ("offer less", "减少卖出"),
    ("lower the price", "降价"),
    ("raise the price", "提价"),
    ("withdraw", "撤销"),
    ("refused: {problem}", "被拒绝: {problem}"),
    ("Nothing is to be done.", "无需操作。"),
    ("This would be done; nothing was.", "将进行以下操作; 尚未执行。"),
    (
        "{at}: of {sale} for sale in {count} quarter hours, {open} wait in the book and {sold} are sold.",
        "{at}: {count} 个时段可卖 {sale}, 挂单 {open}, 已卖 {sold}。",
    ),
    (
        "What stands stays as it is; the next look is in {seconds} s.",
        "现有委托保持不变; {seconds} 秒后再查看。",
    ),
    ("The autopilot ends; what it offered stands.", "自动卖电结束; 已挂的委托仍然有效。"),
];
