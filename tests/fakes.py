"""Tiny deterministic stand-ins that several tests share."""

from __future__ import annotations

from collections.abc import Sequence

from backends.retrieval.span_reader import Span

# --- language ----------------------------------------------------------------------------------

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SPECIAL_TOKENS = ["<|pad|>", "<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]


def tiny_language_model(
    folder, *, seed=0, hidden=32, layers=2, context: int = 512, key_heads=2, merges=(), alphabet=None
):
    """Save a random Llama whose tokens are single bytes, with a chat template; returns the folder.

    `merges` are pairs of bytes that are one token together, `alphabet` the bytes it knows (all by default).
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = alphabet or sorted(pre_tokenizers.ByteLevel.alphabet())
    known = [*SPECIAL_TOKENS, *alphabet, *("".join(pair) for pair in merges)]
    vocabulary = {token: number for number, token in enumerate(known)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=list(merges)))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        bos_token="<|begin|>",
        eos_token="<|end|>",
        additional_special_tokens=SPECIAL_TOKENS[3:],
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=key_heads,
        max_position_embeddings=context,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder, safe_serialization=True)
    fast.save_pretrained(folder)
    return folder


def random_adapter(base_folder, folder, *, seed: int = 1):
    """Save a LoRA adapter with random weights for the model in `base_folder`; returns its folder."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    base = AutoModelForCausalLM.from_pretrained(base_folder)
    tuned = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear"))
    for name, weight in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.3)
    tuned.save_pretrained(str(folder), safe_serialization=True)
    return folder


# --- corpus ------------------------------------------------------------------------------------


class HashingEmbedder:
    """Words hashed into a few dimensions: texts with the same words have cosine 1. Counts what it embeds."""

    name = "hashing"
    precision = "fp32"

    def __init__(self, dimension: int = 64) -> None:
        self.dimension = dimension
        self.embedded: list[str] = []

    def embed(self, texts):
        import re
        import zlib

        import numpy as np

        self.embedded += texts
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row[zlib.crc32(word.encode()) % self.dimension] += 1
            row[0] += 1e-6  # a text without words still has a direction
            row /= np.linalg.norm(row)
        return rows

    def embed_parts(self, texts, parts):
        """The mean of the parts' words: what a text's own vector is made of."""
        import re

        import numpy as np

        kept, means = list(self.embedded), []
        for text, spans in zip(texts, parts, strict=True):
            rows = np.zeros((len(spans), self.dimension), np.float32)
            for row, (start, end) in zip(rows, spans, strict=True):
                words = re.findall(r"\w+", text[start:end].lower())
                for word in words:
                    row += self.embed([word])[0]
                row /= max(1, len(self.token_spans(text[start:end])))
            means.append(rows)
        self.embedded = [*kept, *texts]
        return means

    def reads(self, text):
        from backends.retrieval.folding import mostly_latin

        return mostly_latin(text)

    def token_spans(self, text):
        import re

        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


# --- reading -----------------------------------------------------------------------------------


class AgreeableReader:
    """A span reader for which the first passage answers everything, with all its words."""

    def read(self, question: str, passages: Sequence[str]) -> list[Span]:
        return [
            Span(0, len(passage), passage, -5.0 if at else 5.0, 1.0 if at else 0.0)
            for at, passage in enumerate(passages)
        ]
