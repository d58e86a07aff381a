"""Chat templates that write calls of tools in the ways of published models, as short as shows it."""

QWEN = (
    "{%- if tools %}{{- '<|im_start|>system\\n' + (messages[0]['content'] if messages[0]['role'] == 'system' else '') }}"
    "{{- '\\n\\n# Tools\\n<tools>' }}{%- for tool in tools %}{{- '\\n' + tool | tojson }}{%- endfor %}"
    "{{- '\\n</tools><|im_end|>\\n' }}{%- endif %}"
    "{%- for message in messages %}"
    "{%- if message.role == 'assistant' and message.tool_calls %}{{- '<|im_start|>assistant' }}"
    "{%- if message.content %}{{- '\\n' + message.content }}{%- endif %}"
    '{%- for call in message.tool_calls %}{{- \'\\n<tool_call>\\n{"name": "\' + call.function.name + \'", "arguments": \' }}'
    "{{- call.function.arguments | tojson }}{{- '}\\n</tool_call>' }}{%- endfor %}{{- '<|im_end|>\\n' }}"
    "{%- elif message.role == 'tool' %}{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}"
    "{%- elif not (message.role == 'system' and tools) %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endif %}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
LLAMA = (  # one call is the whole answer, and there is never a second
    "{%- for message in messages %}{%- if message.role == 'user' and loop.first and tools %}"
    "{{- '<|im_start|>user\\n\\nGiven these functions, answer with one call.\\n' }}"
    "{%- for tool in tools %}{{- tool | tojson + '\\n' }}{%- endfor %}{{- message.content + '<|im_end|>' }}"
    "{%- elif message.tool_calls %}{%- if message.tool_calls | length != 1 %}{{- raise_exception('one call at a time') }}{%- endif %}"
    '{{- \'<|im_start|>assistant\\n\\n{"name": "\' + message.tool_calls[0].function.name + \'", "parameters": \' }}'
    "{{- message.tool_calls[0].function.arguments | tojson + '}<|im_end|>' }}"
    "{%- elif message.role == 'tool' %}{{- '<|im_start|>ipython\\n\\n' + message.content + '<|im_end|>' }}"
    "{%- else %}{{- '<|im_start|>' + message.role + '\\n\\n' + message.content + '<|im_end|>' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n\\n' }}{%- endif %}"
)
MISTRAL = (  # a special token, a list, and ids of nine letters behind the arguments
    "{%- for message in messages %}{%- if message.role == 'user' %}"
    "{%- if loop.first and tools %}{{- '[AVAILABLE_TOOLS] ' + tools | tojson + '[/AVAILABLE_TOOLS]' }}{%- endif %}"
    "{{- '[INST] ' + message.content + '[/INST]' }}"
    "{%- elif message.tool_calls %}{{- '<|call|>[' }}{%- for call in message.tool_calls %}"
    "{%- if call.id | length != 9 %}{{- raise_exception('ids have nine letters') }}{%- endif %}"
    '{{- \'{"name": "\' + call.function.name + \'", "arguments": \' + call.function.arguments | tojson + \', "id": "\' + call.id + \'"}\' }}'
    "{{- ', ' if not loop.last else ']' + eos_token }}{%- endfor %}"
    "{%- elif message.role == 'tool' %}{{- '[RESULT]' + message.content + '[/RESULT]' }}"
    "{%- else %}{{- ' ' + message.content + eos_token }}{%- endif %}{%- endfor %}"
)
DEEP = (  # the name outside of the JSON
    "{%- if tools %}{{- tools | tojson }}{%- endif %}{%- for message in messages %}{%- if message.tool_calls %}"
    "{{- '<|im_start|>assistant<calls>' }}{%- for call in message.tool_calls %}{{- '<call>function<sep>' + call.function.name }}"
    "{{- '\\n```json\\n' + call.function.arguments | tojson + '\\n```</call>' }}{%- if not loop.last %}{{- '\\n' }}{%- endif %}{%- endfor %}"
    "{{- '</calls><|im_end|>' }}{%- else %}{{- '<|im_start|>' + message.role + message.content + '<|im_end|>' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant' }}{%- endif %}"
)
_THOUGHT = "{{- '<|im_start|>assistant\\n<think>\\n\\n</think>\\n' }}"
THINKING = QWEN.replace(
    "{{- '<|im_start|>assistant' }}", _THOUGHT
).replace(  # what stands before any answer is no call's
    "{%- elif not (message.role",
    "{%- elif message.role == 'assistant' %}"
    + _THOUGHT
    + "{{- message.content + '<|im_end|>\\n' }}{%- elif not (message.role",
)
TAGGED_VALUES = QWEN.replace("{{- call.function.arguments | tojson }}", "{{- call.function.arguments.probe }}")
