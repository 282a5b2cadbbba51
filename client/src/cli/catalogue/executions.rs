//! What is said of executions.

/// English and Chinese.
pub const TEXTS: &[(&str, &str)] = &[
    (
        "Show what became of your orders, trades and certificates, line by line; --follow goes on as it happens",
        "逐行显示您的委托、成交和绿证的变化; 加 --follow 则持续显示",
    ),
    (
        "Begin with this entry of the ledger: one behind the last that you saw",
        "从账本的这一条记录开始: 您上次看到的下一条",
    ),
    ("Go on with what happens, until Ctrl-C", "持续显示, 直到 Ctrl-C"),
    ("metered", "已计量"),
    ("posted", "已入账"),
    ("certificate issued", "绿证签发"),
    ("certificate sliced", "绿证分割"),
    ("certificate retired", "绿证核销"),
    ("certificate transferred", "绿证转让"),
    ("certificate expired", "绿证过期"),
    ("certificate withdrawn", "绿证撤回"),
    ("certificate voided", "绿证作废"),
    ("certificate bundled", "绿证打包"),
    ("certificate released", "绿证释放"),
    ("national certificate issued", "国家绿证签发"),
    ("national certificate void", "国家绿证作废"),
    ("unknown to this version", "此版本未知"),
    ("at {price}", "价格 {price}"),
    ("delivery {slot}", "交付 {slot}"),
    ("orders {first} to {last}", "委托 {first} 至 {last}"),
    ("for {purpose}", "用于{purpose}"),
    ("deviation", "偏差"),
    ("retail", "购电"),
    ("feed-in", "上网"),
    ("order {old}, now {new}", "委托 {old}, 现为 {new}"),
    ("order {id}", "委托 {id}"),
    ("trade {id}", "成交 {id}"),
    ("certificate {id}", "绿证 {id}"),
];
