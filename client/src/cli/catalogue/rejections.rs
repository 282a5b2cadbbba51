//! The sentences of the market's rejections, as the contract writes them.

/// English and Chinese.
pub const TEXTS: &[(&str, &str)] = &[
    (
        "the key belongs to no participant of this market; the operator enrols keys",
        "此密钥不属于本市场的任何参与者; 密钥由运营方登记",
    ),
    (
        "nonce {nonce} is not above {last}, the last one of this key",
        "序号 {nonce} 不大于此密钥上一个序号 {last}",
    ),
    ("the command expired at {expires_at}, and it is {now}", "命令已于 {expires_at} 过期, 现在是 {now}"),
    (
        "the owner of this key does not have the role that this command needs",
        "此密钥的所有者没有该命令所需的角色",
    ),
    ("the name belongs to another participant", "该名称已属于另一位参与者"),
    (
        "the owner's and the meter's key must differ from each other and from every enrolled key",
        "所有者与电表的密钥必须互不相同, 也不得与任何已登记的密钥相同",
    ),
    ("zone {zone} is none of this market's", "本市场没有区域 {zone}"),
    ("a capacity of {watts} W exceeds the maximum of {max} W", "容量 {watts} W 超过上限 {max} W"),
    ("a credit limit of {fen} fen exceeds the maximum of {max} fen", "信用额度 {fen} 分超过上限 {max} 分"),
    ("the market holds its maximum of {max} participants", "市场已达到参与者上限 {max} 位"),
    ("no participant has this name", "没有叫这个名称的参与者"),
    ("an amount of {fen} fen is not between 1 and {max}", "金额 {fen} 分不在 1 与 {max} 之间"),
    (
        "{need} exceed the {available} of the balance that are not reserved",
        "{need} 超过余额中未被占用的 {available}",
    ),
    (
        "the account cannot be emptied while {reserved} are reserved for open orders and unsettled trades",
        "未成交委托和未结算成交占用着 {reserved}, 此时不能清空账户",
    ),
    ("version {version} is not the next one behind {last}", "版本 {version} 不是 {last} 的下一版本"),
    (
        "slot {slot} is not behind {last}, with which the last version begins",
        "时段 {slot} 不晚于上一版本开始的时段 {last}",
    ),
    ("trading in slot {slot} has opened; its phase is {phase}", "时段 {slot} 已开始交易; 所处阶段: {phase}"),
    (
        "slot {slot} is behind {last}, the last one of the next 366 days",
        "时段 {slot} 晚于今后 366 天的最后一个时段 {last}",
    ),
    ("a schedule of {len} orders exceeds the maximum of {max}", "一次提交 {len} 个委托超过上限 {max}"),
    ("order {order} does not exist in any slot that is not settled", "在未结算的时段中没有委托 {order}"),
    ("order {order} belongs to another participant", "委托 {order} 属于另一位参与者"),
    (
        "slot {slot} is not open for trading; its phase is {phase}",
        "时段 {slot} 不在交易中; 所处阶段: {phase}",
    ),
    ("the gate of slot {slot} has closed", "时段 {slot} 的交易已截止"),
    ("order {order} is not in the book any more", "委托 {order} 已不在订单簿中"),
    ("an order of 0 Wh orders nothing", "0 Wh 的委托没有意义"),
    ("{energy} is not a multiple of the lot of {lot}", "{energy} 不是最小交易单位 {lot} 的整数倍"),
    ("{energy} exceeds the maximum of {max} in one order", "{energy} 超过单个委托的上限 {max}"),
    ("{limit} is not a multiple of the tick of {tick}", "{limit} 不是最小变动价位 {tick} 的整数倍"),
    (
        "{limit} is not between the floor of {floor} and the cap of {cap}",
        "{limit} 不在最低价 {floor} 与最高价 {cap} 之间",
    ),
    (
        "{energy} in all leave nothing open of an order of which {traded} have traded",
        "该委托已成交 {traded}, 总量改为 {energy} 后不再剩余",
    ),
    ("the order is good until {until}, and it is {now}", "委托有效期至 {until}, 而现在是 {now}"),
    (
        "a minimum fill of {minimum} exceeds the order's {energy}",
        "最低成交量 {minimum} 超过委托电量 {energy}",
    ),
    (
        "a post-only order cannot be immediate-or-cancel or fill-or-kill, or have a minimum fill",
        "只挂单的委托不能同时要求立即成交、全部成交或最低成交量",
    ),
    (
        "slot {slot} is in its auction, where no order can trade as it comes",
        "时段 {slot} 处于集合竞价, 委托到达时不会立即成交",
    ),
    (
        "an all-or-none schedule has other orders for slot {slot} besides one that is post-only, fill-or-kill or has a minimum fill",
        "在全有或全无的一组委托中, 时段 {slot} 除了带条件的委托外还有其他委托",
    ),
    (
        "{max} own orders are open in slot {slot}, which is the maximum; cancel or replace some of them",
        "时段 {slot} 已有 {max} 个未成交委托, 达到上限; 请撤销或更改其中一些",
    ),
    (
        "the order needs {need}, and {available} of balance and credit are available",
        "委托需要 {need}, 而余额与信用额度中可用的是 {available}",
    ),
    (
        "{energy} exceeds the {free} that PV and connection can still deliver in the slot",
        "{energy} 超过光伏与并网容量在该时段还能交付的 {free}",
    ),
    ("the order would trade with order {other} as it comes", "该委托到达时会与委托 {other} 成交"),
    ("{minimum} must trade at once, and {fillable} can", "须立即成交 {minimum}, 而可成交的是 {fillable}"),
    (
        "the schedule is all-or-none, and its order at position {refused}, counted from 0, was refused",
        "这组委托要求全有或全无, 其中第 {refused} 个 (从 0 数起) 被拒绝",
    ),
    ("{read_at} is not the end of a quarter hour", "{read_at} 不是一刻钟的结束时刻"),
    ("slot {slot} ends after {now}", "时段 {slot} 在 {now} 之后才结束"),
    ("counter {counter} does not follow {last}", "计数 {counter} 不是 {last} 的下一个"),
    (
        "slot {slot} leaves out some behind {last}, the last one read",
        "时段 {slot} 跳过了上次抄表时段 {last} 之后的时段",
    ),
    ("slot {slot} lies before {first}, the first one read", "时段 {slot} 早于首次抄表的时段 {first}"),
    (
        "the settlement of slot {slot} is final, and its reading cannot be corrected",
        "时段 {slot} 已最终结算, 其读数不能再更正",
    ),
    (
        "the reading of slot {slot} was corrected {max} times, which is the maximum",
        "时段 {slot} 的读数已更正 {max} 次, 达到上限",
    ),
    ("a register of {register} lies below {last}, its last state", "示数 {register} 小于上一次的 {last}"),
    (
        "a register of {register} exceeds {next}, its state at the end of the next slot",
        "示数 {register} 大于下一时段结束时的 {next}",
    ),
    (
        "a register of {register} exceeds the {max} that a meter can show",
        "示数 {register} 超过电表所能显示的 {max}",
    ),
    ("a transfer of 0 Wh passes nothing on", "转让 0 Wh 没有意义"),
    ("certificates are transferred to another participant", "绿证只能转让给另一位参与者"),
    ("a retirement of 0 Wh claims nothing", "核销 0 Wh 没有意义"),
    (
        "certificates of slot {slot} cover consumption of that slot, not of {consumption_slot}",
        "时段 {slot} 的绿证只对应该时段的用电, 而不是时段 {consumption_slot} 的",
    ),
    ("slot {slot} is not settled, and has no certificates", "时段 {slot} 尚未结算, 没有绿证"),
    ("{energy} exceed the {held} that are held of this slot", "{energy} 超过在该时段持有的 {held}"),
    (
        "{energy} exceed the {tradable} that are held of exported energy; self-consumed energy cannot be transferred",
        "{energy} 超过持有的上网电量绿证 {tradable}; 自用电量的绿证不能转让",
    ),
    (
        "{energy} exceed the {borne_out} that are held of certificates that current readings bear out; the rest is locked until it is withdrawn, or readings bear it out again",
        "{energy} 超过当前读数所支持的绿证 {borne_out}; 其余部分被锁定, 直到撤回或读数重新支持",
    ),
    (
        "{energy} exceed the metered import of {unclaimed} that is not claimed yet",
        "{energy} 超过尚未核销的计量用电量 {unclaimed}",
    ),
    (
        "{held} are held of exported energy until that slot, which is less than 1 MWh",
        "到该时段为止持有的上网电量绿证为 {held}, 不足 1 MWh",
    ),
    ("there is no such certificate, or it was withdrawn", "没有这个绿证, 或它已被撤回"),
    (
        "current readings bear out the certificate, its slices and its claims",
        "当前读数支持该绿证及其份额和核销",
    ),
    // What stands before and behind such a sentence.
    ("rejected:", "被拒绝:"),
    ("rule", "规则"),
];
