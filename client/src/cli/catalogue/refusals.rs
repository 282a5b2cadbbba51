//! Why a node refuses a call, as it says itself: what the commands here can meet.

/// English and Chinese.
pub const TEXTS: &[(&str, &str)] = &[
    (
        "public_key {key} is not enrolled in market '{market}'; ask its operator to enrol it",
        "公钥 {key} 尚未在市场 '{market}' 登记; 请其运营方登记",
    ),
    (
        "payload: has {len} bytes; at most {max} are allowed, so split the schedule",
        "payload: 有 {len} 字节; 最多 {max}, 请分成几次提交",
    ),
    ("the market's queue is full; try again in {delay} ms", "市场的队列已满; 请在 {delay} 毫秒后重试"),
    (
        "this key has handed in too many commands; try again in {delay} ms",
        "此密钥提交的命令过多; 请在 {delay} 毫秒后重试",
    ),
    (
        "too many commands of this connection had a signature that is nobody's; try again in {delay} ms",
        "此连接提交的命令中签名无效的过多; 请在 {delay} 毫秒后重试",
    ),
    (
        "this node has {max} streams already; end one, or follow more slots in one",
        "此节点已有 {max} 个数据流; 请结束一个, 或在一个流中跟踪更多时段",
    ),
    (
        "this connection has {max} streams already; end one, or follow more slots in one",
        "此连接已有 {max} 个数据流; 请结束一个, 或在一个流中跟踪更多时段",
    ),
    (
        "this key has {max} streams already; end one, or follow more slots in one",
        "此密钥已有 {max} 个数据流; 请结束一个, 或在一个流中跟踪更多时段",
    ),
    ("the market takes no more commands: the node is stopping", "市场不再接受命令: 节点正在停止"),
    (
        "the market is read-only, since its ledger does not fit: {why}; ask the operator to restore it",
        "市场只能查询, 因为其账本不一致: {why}; 请运营方恢复账本",
    ),
    ("the ledger cannot be read: {why}", "无法读取账本: {why}"),
    (
        "there is no claim of certificates {number} that the caller may see",
        "没有您可以查看的绿证核销 {number}",
    ),
    ("the founding operator's key has no account to read", "创建市场的运营方密钥没有账户"),
    ("the founding operator's key has no executions", "创建市场的运营方密钥没有成交回报"),
    ("a meter's key reads nothing", "电表密钥不能查询"),
    (
        "regulators and operators may see all entries, a participant those that are about him",
        "监管方和运营方可以查看所有条目, 参与者只能查看与自己有关的",
    ),
    ("parkwatt-session-bin: the session is for another market", "parkwatt-session-bin: 会话属于另一个市场"),
    (
        "parkwatt-session-bin: the session has expired; sign a new one",
        "parkwatt-session-bin: 会话已过期; 请重新签名",
    ),
    (
        "parkwatt-session-bin: the session would last longer than this node allows; sign a shorter one",
        "parkwatt-session-bin: 会话时间超过节点允许的长度; 请签较短的",
    ),
    (
        "market: must be named, since this node has several: {names}",
        "market: 必须指定, 因为此节点有多个市场: {names}",
    ),
    (
        "market: '{name}' is not a market of this node; it has {names}",
        "market: 此节点没有市场 '{name}'; 它有 {names}",
    ),
    ("count: {count} exceeds the maximum of {max}", "count: {count} 超过上限 {max}"),
    (
        "leaf_index: there is no {asked} in a tree of {size} leaves",
        "leaf_index: 有 {size} 个条目的树中没有 {asked}",
    ),
    (
        "from_index: {from} lies behind the ledger's next leaf, {newest}",
        "from_index: {from} 在账本下一个条目 {newest} 之后",
    ),
];
