//! What is said of the web page.

/// English and Chinese.
pub const TEXTS: &[(&str, &str)] = &[
    (
        "Write a link to the market's web page that shows you your own day; --open opens it",
        "给出市场网页的链接, 显示您自己的一天; 加 --open 则打开它",
    ),
    (
        "The page's address [default: port 7480 of the node's machine]",
        "网页地址 [默认: 节点所在机器的 7480 端口]",
    ),
    ("Open it in the browser", "在浏览器中打开"),
    (
        "It shows your own day until {time} ({zone}). Whoever has it sees the same: give it to nobody.",
        "在 {time} ({zone}) 之前它显示您自己的一天。持有链接者所见相同：请勿交给任何人。",
    ),
    (
        "No browser could be opened here: copy the line into one.",
        "此处无法打开浏览器: 请将该行复制到浏览器中。",
    ),
    (
        "If no page is there, name its address with --url: the node says it when it starts.",
        "若那里没有网页, 请用 --url 写明其地址: 节点启动时会显示。",
    ),
    ("'{url}' is not the address of a page", "'{url}' 不是网页地址"),
    (
        "Write it as http://HOST:PORT, as the node says when it starts.",
        "请写作 http://HOST:PORT, 节点启动时会说明。",
    ),
];
