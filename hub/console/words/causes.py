"""What the flow says of a delivery that failed or waits (`Cause.text`), in both languages.

Sentences that hold another sentence come first: the first that matches is taken.
"""

TEXTS = {
    "sentence.cause.last_attempt": (
        "{cause} Attempt {number} of {most} was the last.",
        "{cause} 第 {number} 次尝试（共 {most} 次）已是最后一次。",
    ),
    "sentence.cause.too_old": (
        "{cause} It is older than {span}, and is given up.",
        "{cause} 已超过 {span}，不再重试。",
    ),
    "sentence.cause.batch": (
        "A batch of {number} was refused; each of them is sent alone. {cause}",
        "一批 {number} 条被拒绝，将逐条单独发送。{cause}",
    ),
    "sentence.cause.look_up": ("The look-up {name} ({call}) failed: {cause}", "查询 {name}（{call}）失败：{cause}"),
    "sentence.cause.hole": (
        "The hole {hole} of the address cannot be filled: {cause}.",
        "地址中的占位 {hole} 无法填充：{cause}。",
    ),
    "sentence.cause.route": (
        "Route {route} cannot decide whether it takes this: {cause}",
        "路由 {route} 无法判断是否接收：{cause}",
    ),
    "sentence.cause.declined": (
        "Route {route} does not take it ({result}): {cause}",
        "路由 {route} 不接收（{result}）：{cause}",
    ),
    "sentence.cause.body": ("The stored body cannot be read: {cause}", "已存储的正文无法读取：{cause}"),
    "sentence.cause.not_judged": (
        "The target answered {status}, and its answer cannot be judged: {cause}",
        "目标返回 {status}，但其应答无法判断：{cause}",
    ),
    "sentence.cause.not_answer": (
        "The target has it, but what it says of it is no {message}: {cause}",
        "目标已有该消息，但其应答不是 {message}：{cause}",
    ),
    "sentence.cause.not_fit": (
        "The answer does not fit {message}: {pointer} is {got}, wanted {want}.",
        "应答不符合 {message}：{pointer} 为 {got}，应为 {want}。",
    ),
    "sentence.cause.not_fit_text": ("The answer does not fit {message}: {cause}", "应答不符合 {message}：{cause}"),
    "sentence.cause.made_not_fit": (
        "What the mapping made does not fit {message}: {pointer} is {got}, wanted {want}.",
        "映射结果不符合 {message}：{pointer} 为 {got}，应为 {want}。",
    ),
    "sentence.cause.asked_not_fit": (
        "What the look-up {name} asks does not fit {message}: {pointer} is {got}, wanted {want}.",
        "查询 {name} 的请求不符合 {message}：{pointer} 为 {got}，应为 {want}。",
    ),
    "sentence.cause.table": ("The table {name} has no row for {value}.", "对照表 {name} 中没有 {value} 对应的行。"),
    "sentence.cause.made_too_much": (
        "The mapping made more than {values} values or {characters} characters.",
        "映射结果超过 {values} 个值或 {characters} 个字符。",
    ),
    "sentence.cause.split": ("split: {list} is not an array.", "split：{list} 不是数组。"),
    "sentence.cause.no_time": (
        "it waits until {path}, and that is no time but {kind} of {number} characters ({error}).",
        "应等到 {path}，但该值不是时间，而是 {number} 个字符的 {kind}（{error}）。",
    ),
    "sentence.cause.again": (
        "The target answered {status}, and `again` holds{words}.",
        "目标返回 {status}，符合 again{words}。",
    ),
    "sentence.cause.unread": (
        "The target answered {status}, but its body {trouble}; what it means is judged by it.",
        "目标返回 {status}，但正文 {trouble}，而含义须据此判断。",
    ),
    "sentence.cause.under_way": (
        "The target answered {status}: the same is still under way there ({since}).",
        "目标返回 {status}：同一请求仍在处理（{since}）。",
    ),
    "sentence.cause.redirect": (
        "The target answered {status}: redirects are not followed.",
        "目标返回 {status}：不跟随重定向。",
    ),
    "sentence.cause.no_success": (
        "The target answered {status}, but `success` does not hold{words}.",
        "目标返回 {status}，但不符合 success{words}。",
    ),
    "sentence.cause.refused": ("The target refused it with {answer}.", "目标拒绝：{answer}。"),
    "sentence.cause.lost_credentials": (
        "The target answered 401; what it was shown is thrown away, and the next try gets another.",
        "目标返回 401；已丢弃所用令牌，下次尝试将重新获取。",
    ),
    "sentence.cause.answered": ("The target answered {answer}.", "目标返回 {answer}。"),
    "sentence.cause.posted_much": (
        "It needs more time than a post of a caller that has posted many such.",
        "计算耗时较长，而该调用方已提交多条此类消息。",
    ),
    "sentence.cause.failed_code": (
        "The expression {text} failed: {cause} ({code}).",
        "表达式 {text} 失败：{cause}（{code}）。",
    ),
    "sentence.cause.failed": ("The expression {text} failed: {cause}.", "表达式 {text} 失败：{cause}。"),
    "sentence.cause.part": ("The part {part} of {text} is missing.", "{text} 缺少 {part} 部分。"),
    "sentence.cause.too_large": ("What {text} makes is too large.", "{text} 的结果过大。"),
    "sentence.cause.engine": ("The expression {text} broke the engine.", "表达式 {text} 使计算引擎异常。"),
    "sentence.cause.no_number": (
        "What {text} makes is no number that JSON has.",
        "{text} 的结果不是 JSON 可表示的数字。",
    ),
    "sentence.cause.overtaken": (
        "Something newer was delivered on its key before it (fresh_by).",
        "同一键上更新的消息已先送达（fresh_by）。",
    ),
    "sentence.cause.no_configuration_text": (
        "The configuration that makes its content cannot be read: {error}",
        "生成其内容的配置无法读取：{error}",
    ),
    "sentence.cause.no_configuration": (
        "The configuration that makes its content cannot be read.",
        "生成其内容的配置无法读取。",
    ),
    "sentence.cause.orphaned": (
        "Route {route} does not lead to {message} any more.",
        "路由 {route} 不再通向 {message}。",
    ),
    "sentence.cause.unsent_mapping": ("Nothing was sent: {error} while mapping.", "未发送：映射时发生 {error}。"),
    "sentence.cause.unsent_call": (
        "Nothing was sent: {error} while the call was made.",
        "未发送：生成请求时发生 {error}。",
    ),
    "sentence.cause.stored_late": (
        "{cause}: it was stored so late that its caller had been told to come again.",
        "{cause}：存储过晚，调用方已被告知稍后重试。",
    ),
    "sentence.cause.deadline": ("The deadline passed before it was sent.", "发送前已超过时限。"),
    "sentence.cause.left_alone": (
        "{lane} is left alone for now, or has as much under way as it may.",
        "{lane} 暂停发送，或在途数量已达上限。",
    ),
    "sentence.cause.no_system_asked": ("There is no system {lane} that could be asked.", "没有可查询的系统 {lane}。"),
    "sentence.cause.unsent": ("Nothing was sent: {cause}", "未发送：{cause}"),
    "sentence.cause.unsent_alone": ("Nothing was sent", "未发送"),
    "sentence.cause.sending": ("{error} while it was being sent.", "发送时发生 {error}。"),
    "sentence.cause.judging": ("{error} while judging the answer.", "判断应答时发生 {error}。"),
    "sentence.cause.asking": ("{error} while it was asked.", "查询时发生 {error}。"),
    "sentence.cause.probe_broke": (
        "{error} while the question was made; the target was not asked.",
        "生成询问时发生 {error}，未询问目标。",
    ),
    "sentence.cause.left": (
        "The target left the configuration while it was being sent to.",
        "发送过程中该目标已从配置中移除。",
    ),
    "sentence.cause.no_route": (
        "There is no route {route} in the configuration that decides it.",
        "决定该消息的配置中没有路由 {route}。",
    ),
    "sentence.cause.no_system": ("There is no system {system} any more.", "系统 {system} 已不存在。"),
    "sentence.cause.no_json": ("The answer has no JSON body.", "应答没有 JSON 正文。"),
    "sentence.cause.no_json_on": (
        "The answer has no JSON body that could be handed on.",
        "应答没有可转交的 JSON 正文。",
    ),
    "sentence.cause.unread_answer": ("The answer cannot be read: it {trouble}.", "应答无法读取：{trouble}。"),
    "sentence.cause.probed_absent": (
        "The target was asked, and has it not; it is sent again.",
        "已询问目标，目标没有该消息，将再次发送。",
    ),
    "sentence.cause.probed_last": (
        "The target has it not, and attempt {number} of {most} was the last.",
        "目标没有该消息，第 {number} 次尝试（共 {most} 次）已是最后一次。",
    ),
    "sentence.cause.probed_silent": (
        "The target was asked, and does not say whether it has it ({answer}).",
        "已询问目标，但未说明是否已有该消息（{answer}）。",
    ),
    "sentence.cause.no_probe": ("{message} has no probe.", "{message} 没有配置探询。"),
    "sentence.cause.paused_now": ("{route} is paused for now.", "{route} 已暂停。"),
    "sentence.cause.is": ("It is {status}.", "状态为 {status}。"),
    "sentence.cause.no_mapping": (
        "There is no mapping from {source} to {target}.",
        "没有从 {source} 到 {target} 的映射。",
    ),
    "sentence.cause.undecided": (
        "Its route could not be decided when it came; its next claim decides it again.",
        "到达时无法判断路由，下次领取时再判断。",
    ),
    "sentence.cause.no_time_to_compute": ("There was no time to compute it.", "来不及计算。"),
    "sentence.cause.evaluator": ("{name} broke the evaluator ({code}).", "{name} 使计算进程异常（{code}）。"),
    "sentence.cause.much_memory": (
        "{name} takes more than {number} MB of memory.",
        "{name} 占用内存超过 {number} MB。",
    ),
    "sentence.cause.much_time": (
        "{name} takes more than {number} ms of processor time.",
        "{name} 占用处理器时间超过 {number} 毫秒。",
    ),
    "sentence.cause.cannot": ("It cannot be computed: {error}.", "无法计算：{error}。"),
    "sentence.cause.makes_much": ("What it makes is too large.", "结果过大。"),
    "sentence.cause.no_token": (
        "No access token was to be had from {host}: {cause}.",
        "无法从 {host} 获取访问令牌：{cause}。",
    ),
    "sentence.cause.token_refused": ("{host} gave no access token ({answer}).", "{host} 未签发访问令牌（{answer}）。"),
    "sentence.cause.published": ("It was published, and {why}.", "已发布，但 {why}。"),
    "sentence.cause.long_topic": ("The topic has more than {number} bytes.", "主题超过 {number} 字节。"),
    "sentence.cause.no_broker": ("The broker cannot be reached: {error}.", "无法连接消息代理：{error}。"),
    "sentence.cause.topic_word": (
        "The topic {topic} wants {field}, and it is no word of letters, digits, - _ and :.",
        "主题 {topic} 需要 {field}，而其值含有字母、数字、- _ : 以外的字符。",
    ),
    "sentence.cause.no_queue": ("No queue is bound for it: {error}.", "没有绑定的队列：{error}。"),
    "sentence.cause.nack": ("The broker did not take it (nack).", "消息代理未接收（nack）。"),
    "sentence.cause.not_taken": ("The broker did not take it: {error}.", "消息代理未接收：{error}。"),
    "sentence.cause.not_published": ("Not published: {why}.", "未发布：{why}。"),
    "sentence.cause.broker_refused": ("The broker refused it: {error}.", "消息代理拒绝：{error}。"),
    "sentence.cause.pushed": ("It was pushed, and no answer came: {error}.", "已推送，但未收到应答：{error}。"),
    "sentence.cause.unsigned": ("The call cannot be signed: {error}", "请求无法签名：{error}"),
    "sentence.cause.not_accepted": ("{system} does not accept {message}.", "{system} 不接收 {message}。"),
    "sentence.cause.no_http": ("What answered does not speak HTTP: {error}.", "对端不是 HTTP 服务：{error}。"),
    "sentence.cause.half_answer": (
        "It was sent, and no whole answer came: {error}.",
        "已发送，但未收到完整应答：{error}。",
    ),
    "sentence.cause.latest": (
        "A newer message on the same key made this one pointless (when_dead: latest).",
        "同一键上的新消息已取代该消息（when_dead: latest）。",
    ),
    "sentence.cause.capacity": (
        "The capacity of {route} was full; it goes from {at}.",
        "{route} 容量已满，自 {at} 起发送。",
    ),
    "sentence.cause.asked_for": ("Its message asks for {at}.", "消息指定的时间为 {at}。"),
    "sentence.cause.silent_worker": (
        "Worker {worker} did not say what became of it before its lease ended; it may have been sent.",
        "工作进程 {worker} 在租约到期前未报告结果，可能已发送。",
    ),
    "sentence.cause.poison": (
        "{number} workers in a row were lost with it; it is not given to another.",
        "连续 {number} 个工作进程因它丢失，不再分配。",
    ),
    "sentence.cause.paused_why": ("Route {route} is paused by {by}: {why}", "路由 {route} 已由 {by} 暂停：{why}"),
    "sentence.cause.paused": ("Route {route} is paused by {by}.", "路由 {route} 已由 {by} 暂停。"),
    "sentence.cause.expired": (
        "It was not delivered before it expired, as its route says (expires).",
        "在路由规定的有效期（expires）内未送达。",
    ),
    "sentence.cause.unsaid": ("Nobody said why it waits.", "没有记录等待原因。"),
    "sentence.cause.unstorable": (
        "It was tried, and ended as {outcome}; what came back cannot be stored ({error}).",
        "已尝试，结果为 {outcome}，但返回内容无法存储（{error}）。",
    ),
    "sentence.engine.1": ("a number is too large", "数字过大"),
    "sentence.engine.2": ("a minus sign stands before something that is no number", "负号后面不是数字"),
    "sentence.engine.3": ("it calls itself too deeply", "自我调用层数过多"),
    "sentence.engine.4": ("it takes too long", "耗时过长"),
    "sentence.engine.5": ("a range is too long", "区间过长"),
    "sentence.engine.6": ("a sequence is too long", "序列过长"),
    "sentence.engine.7": ("a text is no number", "文本不是数字"),
    "sentence.engine.8": ("a root of a negative number", "对负数开方"),
    "sentence.engine.9": ("a power that is no number", "乘方结果不是数字"),
    "sentence.engine.10": ("its $error was reached", "执行到了 $error"),
    "sentence.engine.11": ("its $assert does not hold", "$assert 不成立"),
    "sentence.engine.12": ("something stands where nothing may", "多余的内容"),
    "sentence.engine.13": ("it ends too early", "表达式不完整"),
    "sentence.engine.14": ("a step of the path is no name", "路径中有一步不是名称"),
    "sentence.engine.15": ("a function was given an argument of the wrong type", "函数参数类型不对"),
    "sentence.engine.16": ("a name in an object is no text", "对象中的名称不是文本"),
    "sentence.engine.17": ("something is called that is no function", "调用的不是函数"),
    "sentence.engine.18": ("the left side of an arithmetic operator is no number", "算术运算符左侧不是数字"),
    "sentence.engine.19": ("the right side of an arithmetic operator is no number", "算术运算符右侧不是数字"),
    "sentence.engine.20": ("a comparison is between two kinds of value", "比较的两个值类型不同"),
    "sentence.engine.21": (
        "a comparison is between what is no number and no text, such as null",
        "比较的值既不是数字也不是文本，例如 null",
    ),
    "sentence.engine.22": ("the engine cannot compute it", "引擎无法计算"),
    "sentence.engine.23": ("is empty", "为空"),
    "sentence.engine.24": ("is no JSON", "不是 JSON"),
    "sentence.engine.25": ("did not come whole", "不完整"),
    "sentence.engine.26": ("did not come whole, or is longer than is read", "不完整，或超过读取上限"),
    "sentence.engine.27": ("it names a time to come again", "应答给出了重试时间"),
    "sentence.engine.28": ("an earlier try is in doubt", "先前一次尝试结果未知"),
}
