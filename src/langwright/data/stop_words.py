"""Words that say little of what a text is about: function words of English and Chinese, listed by us."""

from __future__ import annotations

_ENGLISH = """
a about above across after again against all almost alone along already also although always am among amongst an
and another any anybody anyone anything anywhere are aren't around as aside at away be became because become
becomes been before began begin behind being below beside besides best better between beyond both but by came
can can't cannot certain certainly come comes could couldn't did didn't do does doesn't doing don't done down
due during each either else enough especially etc even ever every everybody everyone everything everywhere
except few first for former forth from further furthermore gave get gets getting give given gives giving go goes
going gone got had hadn't has hasn't have haven't having he he'd he'll he's hence her here here's hereby herein
hers herself him himself his how how's however i i'd i'll i'm i've if in indeed instead into is isn't it it'd
it'll it's its itself just keep kept knew know known last later latter least less let let's like likely little
lot made mainly make makes making many may maybe me mean means meanwhile might mine more moreover most mostly
much must mustn't my myself namely near nearly neither never nevertheless new next no nobody none nor not
nothing now nowhere of off often oh on once one ones only onto or other others otherwise ought our ours
ourselves out over own per perhaps please possible possibly put quite rather really said same saw say saying
says see seem seemed seems seen several shall shan't she she'd she'll she's should shouldn't show showed shown
shows since so some somebody someone something sometimes somewhat somewhere soon still such take taken takes
taking than that that's the their theirs them themselves then thence there there's thereby therefore therein
these they they'd they'll they're they've thing things this those though through throughout thus till to
together too took toward towards two under unless until up upon us use used useful uses using usually various
very via want was wasn't way ways we we'd we'll we're we've well went were weren't what what's whatever when
whence whenever where where's whereas whereby wherein wherever whether which while who who's whoever whole whom
whose why will with within without won't would wouldn't yes yet you you'd you'll you're you've your yours
yourself yourselves
"""
_CHINESE = """
一 七 三 上 下 不 与 且 两 个 中 为 乃 么 之 乎 九 也 了 二 于 五 些 仅 从 他 件 会 但 位 何 作 你 使 例 便 做
光 全 八 六 其 内 再 几 出 则 刚 别 到 前 勿 十 单 即 却 去 又 及 另 只 叫 可 右 各 同 后 向 吗 吧 听 呀 呢 和
咱 哈 哦 哪 啊 啦 嘛 四 因 在 地 外 多 太 她 它 对 将 少 就 左 已 年 并 应 开 当 往 很 得 您 想 愿 我 或 所 才
把 拿 按 敢 旁 无 日 时 是 更 曾 最 月 有 朝 未 本 条 来 极 某 次 正 此 每 比 没 用 由 略 的 看 着 种 稍 等 答
约 经 给 者 而 肯 能 自 莫 虽 被 要 让 讲 该 说 谁 起 跟 较 过 还 这 进 道 那 都 里 问 间 除 需 非 一下 一个
一些 一切 一定 一样 一次 一点 一直 一种 一般 一起 不会 不同 不是 不管 不能 不论 不过 两个 为了 为何 为止 主要
乃至 之一 之中 之前 之后 之间 也是 也许 于是 什么 仅仅 今天 今年 从而 他们 以上 以下 以便 以免 以内 以前 以及
以后 以外 以来 似乎 似的 但是 作为 你们 使得 使用 例如 依据 便是 倘若 假如 全部 关于 其中 其他 其余 其它 其实
其次 具体 具有 再次 几个 几乎 出来 分别 刚才 利用 别的 到底 包含 包括 十分 即使 反之 反而 发现 另外 只是 只有
只要 可以 可是 可能 各个 各种 各自 同时 同样 否则 咱们 哪个 哪些 哪怕 哪里 因为 因此 因而 基于 基本 多个 多少
大概 大约 她们 好像 如何 如果 存在 它们 实在 实现 对于 尤其 就是 尽管 居然 属于 左右 已经 年来 并且 应当 应该
开始 当时 当然 很多 得以 得出 得到 必须 怎么 怎样 总之 成为 我们 或者 或许 所以 所有 指出 按照 接着 提供 提出
无论 时候 显示 更加 曾经 最后 有些 有关 有效 有的 本人 本文 极其 果然 某个 某些 某种 根据 正在 此外 此时 每个
比如 比较 毕竟 没有 沿着 然后 然而 特别 现在 甚而 甚至 由于 的确 目前 相关 相当 看到 知道 确实 究竟 竟然 等等
经过 结合 继续 而且 能够 自从 自己 自身 至于 获得 虽然 表明 要是 觉得 譬如 认为 许多 说明 诸如 起来 达到 运用
近年 还是 还有 这个 这么 这些 这时 这样 这种 这里 进去 进行 通过 那个 那么 那些 那时 那样 那种 那里 采用 重要
针对 除了 除外 除非 随着 需要 非常 首先 一方面 为什么 应用于 近年来 进一步 一定程度 另一方面
"""

ENGLISH = frozenset(_ENGLISH.split())
CHINESE = frozenset(_CHINESE.split())
STOP_WORDS = ENGLISH | CHINESE
