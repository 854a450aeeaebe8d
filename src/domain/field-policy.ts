/**
 * What becomes of each field a caller may put into a body, by name. A name that stands nowhere here is dropped and named
 * in a response header.
 */

export type Operation = 'chat' | 'completions' | 'embeddings'

export type FieldPolicy =
  /** Goes to the engine. */
  | 'forward'
  /** OpenAI defines it and no engine serves it, or it is for us: taken, checked, not sent on. */
  | 'accept'
  /** Answered 400: it would reach into the engine, or ignoring it would give a wrong answer. */
  | { readonly refuse: string }

/** Samplers that engines beyond OpenAI's have in common; typed and bounded by the schema. */
const engineSamplers = ['top_k', 'min_p', 'typical_p', 'repeat_penalty']

const forwardedByBoth = [
  'model',
  'stream',
  'stream_options',
  'n',
  'seed',
  'stop',
  'temperature',
  'top_p',
  'frequency_penalty',
  'presence_penalty',
  'logit_bias',
  'max_tokens',
  'logprobs',
  ...engineSamplers,
]

const forwarded: Readonly<Record<Operation, readonly string[]>> = {
  chat: [
    ...forwardedByBoth,
    'messages',
    'max_completion_tokens',
    'tools',
    'tool_choice',
    'parallel_tool_calls',
    'response_format',
    'top_logprobs',
    'reasoning_effort',
    'chat_template_kwargs',
  ],
  completions: [...forwardedByBoth, 'prompt', 'suffix'],
  embeddings: ['model', 'input', 'encoding_format', 'dimensions'],
}

const accepted: Readonly<Record<Operation, readonly string[]>> = {
  chat: [
    'user',
    'cache',
    'store',
    'metadata',
    'service_tier',
    'safety_identifier',
    'prompt_cache_key',
    'prompt_cache_retention',
    'prompt_cache_options',
    'moderation',
    'modalities',
    'audio',
    'prediction',
    'web_search_options',
    'verbosity',
  ],
  // Only harmless values of the last two pass: request-rules.ts sees to it.
  completions: ['user', 'cache', 'echo', 'best_of'],
  embeddings: ['user', 'cache'],
}

const useTools = 'is not supported: use `tools` and `tool_choice`'
const useFormat = 'is not supported: use `response_format`'
const useMaxTokens = 'is not supported: use `max_completion_tokens` or `max_tokens`'

/** Refused names that have a counterpart here. */
const counterparts: Readonly<Record<string, string>> = {
  functions: useTools,
  function_call: useTools,
  n_predict: useMaxTokens,
  num_predict: useMaxTokens,
  max_new_tokens: useMaxTokens,
  max_output_tokens: useMaxTokens,
  repetition_penalty: 'is not supported: use `repeat_penalty`',
  n_probs: 'is not supported: use `logprobs` and `top_logprobs`',
  format: useFormat,
  json_schema: useFormat,
  structured_outputs: useFormat,
  grammar: useFormat,
  think: 'is not supported: use `reasoning_effort`',
}

const llamaServerOnly = [
  ...['n_indent', 'n_keep', 'n_discard', 'n_cmpl', 'min_keep', 'id_slot', 'slot_id', 'cache_prompt', 'cache_reuse'],
  ...['n_cache_reuse', 'return_tokens', 'return_progress', 'samplers', 'chat_format', 'chat_template', 'chat_parser'],
  ...['generation_prompt', 'reasoning_format', 'reasoning_budget', 'reasoning_in_content', 'reasoning_control'],
  ...['thinking_forced_open', 'thinking_budget_tokens', 'enable_thinking', 'parse_tool_calls', 'preserved_tokens'],
  ...['timings_per_token', 'verbose', 'verbose_prompt', 'response_fields', 't_max_predict_ms', 't_max_prompt_ms'],
  ...['post_sampling_probs', 'ignore_eos', 'repeat_last_n', 'penalize_nl', 'top_n_sigma', 'tfs_z', 'backend_sampling'],
  ...['multimodal_data', 'prompt_string', 'input_prefix', 'input_suffix', 'input_extra', 'image_data'],
  ...['system_prompt', 'sse_ping_interval', 'embd_normalize', 'add_generation_prompt', 'continue_final_message'],
  ...['add_special', 'parse_special', 'force_pure_content', 'lora', 'stop_type', 'tokens', 'content'],
]

const vllmOnly = [
  ...['use_beam_search', 'length_penalty', 'early_stopping', 'stop_token_ids', 'include_stop_str_in_output'],
  ...['min_tokens', 'skip_special_tokens', 'spaces_between_special_tokens', 'truncate_prompt_tokens'],
  ...['truncation_side', 'prompt_logprobs', 'logprob_token_ids', 'allowed_token_ids', 'bad_words', 'prompt_embeds'],
  ...['add_special_tokens', 'documents', 'mm_processor_kwargs', 'media_io_kwargs', 'structural_tag', 'priority'],
  ...['request_id', 'logits_processors', 'return_tokens_as_token_ids', 'return_token_ids', 'return_token_offsets'],
  ...['cache_salt', 'kv_transfer_params', 'ec_transfer_params', 'vllm_xargs', 'max_repetition_pattern_size'],
  ...['min_repetition_pattern_size', 'repetition_min_count', 'repetition_detection', 'include_reasoning'],
  ...['thinking_token_budget', 'additional_data', 'embed_dtype', 'endianness', 'normalize', 'use_activation'],
]

const ollamaOnly = [
  ...['options', 'keep_alive', 'template', 'raw', 'context', 'num_ctx', 'num_batch', 'num_gpu', 'main_gpu'],
  ...['num_thread', 'num_keep', 'use_mmap', 'use_mlock', 'low_vram', 'numa', 'vocab_only', 'truncate'],
]

/** What would choose another server, or credentials for it, in gateways and libraries that know such fields. */
const routing = [
  ...['api_base', 'base_url', 'api_key', 'api_version', 'api_type', 'organization', 'extra_headers', 'extra_query'],
  ...['custom_llm_provider', 'mock_response'],
]

/** Families of engine-only names that grow with each release. */
const refusedPrefixes = [
  'guided_',
  'mirostat',
  'dry_',
  'xtc_',
  'dynatemp_',
  'adaptive_',
  'grammar_',
  'lora_',
  'speculative.',
]

const engineOnly = new Set([...llamaServerOnly, ...vllmOnly, ...ollamaOnly, ...routing])

function buildPolicies(operation: Operation): ReadonlyMap<string, FieldPolicy> {
  const policies = new Map<string, FieldPolicy>()
  for (const name of engineOnly)
    policies.set(name, { refuse: 'belongs to the inference engine and cannot be set here' })
  for (const [name, refuse] of Object.entries(counterparts)) policies.set(name, { refuse })
  for (const name of accepted[operation]) policies.set(name, 'accept')
  for (const name of forwarded[operation]) policies.set(name, 'forward')
  return policies
}

const policies: Readonly<Record<Operation, ReadonlyMap<string, FieldPolicy>>> = {
  chat: buildPolicies('chat'),
  completions: buildPolicies('completions'),
  embeddings: buildPolicies('embeddings'),
}

/** The policy for a top-level field; undefined for a name nobody knows. */
export function findPolicy(operation: Operation, name: string): FieldPolicy | undefined {
  const policy = policies[operation].get(name)
  if (policy !== undefined) return policy
  if (!refusedPrefixes.some(prefix => name.startsWith(prefix))) return undefined
  return { refuse: 'belongs to the inference engine and cannot be set here' }
}
