//! What the live view says.

/// English and Chinese.
pub const TEXTS: &[(&str, &str)] = &[
    (
        "Watch a quarter hour's book, the day's prices, and your orders and trades, as they come",
        "实时查看一个时段的订单簿、当日价格以及您的委托和成交",
    ),
    (
        "When the delivery begins [default: the next that can be traded]",
        "交付开始时间 [默认: 下一个可交易的时段]",
    ),
    ("Write one picture as text, and end", "以文本输出一幅画面并结束"),
    ("The picture's width, in letters", "画面宽度, 字符数"),
    ("The picture's height, in lines", "画面高度, 行数"),
    ("there is no terminal to draw on", "没有可以绘图的终端"),
    ("the terminal cannot be drawn on: {cause}", "无法在终端上绘图: {cause}"),
    ("Use --once for one picture as text.", "请用 --once 输出一幅文本画面。"),
    ("The view is closed.", "画面已关闭。"),
    ("← → another quarter hour   q ends", "← → 换时段   q 退出"),
    ("Book", "订单簿"),
    ("The day's prices", "当日价格"),
    ("Your open orders", "您的未成交委托"),
    ("Your trades", "您的成交"),
    ("time", "时间"),
    ("mean price", "均价"),
    ("delivery", "交付时段"),
    ("Nothing has traded on this day.", "当日没有成交。"),
    ("Without a key only what everybody sees is shown.", "没有密钥时只显示公开内容。"),
];
