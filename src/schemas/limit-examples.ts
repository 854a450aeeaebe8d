/** What those are answered who have used up a limit, for the OpenAPI document; docs/API.md shows the same. */

const refusal = (type: string, code: string, message: string) => ({
  error: { message, type, param: null, code },
})

export const limitExamples = {
  requests: {
    summary: 'A rate in requests. `retry-after-ms` says when this one fits; whoever waits that long alone gets in.',
    value: refusal(
      'requests',
      'rate_limit_exceeded',
      'This account may make 60 requests a minute; 0 requests are left. It fits in 1 s. The tier premium has more.',
    ),
  },
  tokens: {
    summary: 'A rate in tokens: less is left than this request may take.',
    value: refusal(
      'tokens',
      'rate_limit_exceeded',
      'This account may use 100,000 tokens a minute; 1,200 tokens are left, and this request may take up to 4,310 tokens. It fits in 2 s. Lower max_tokens, or send a shorter prompt. The tier premium has more.',
    ),
  },
  inFlight: {
    summary: 'Requests at the same time. When one of them ends nobody knows: `retry-after` is a second.',
    value: refusal(
      'requests',
      'rate_limit_exceeded',
      'This account may make 4 requests at the same time. Wait until one of them has ended. The tier premium has more.',
    ),
  },
  largerThanLimit: {
    summary: 'Larger than the whole limit: no wait helps, and `x-should-retry` is `false`.',
    value: refusal(
      'tokens',
      'rate_limit_exceeded',
      'This key may use 4,000 tokens a minute; 4,000 tokens are left, and this request may take up to 4,310 tokens. It never fits. Lower max_tokens, or send a shorter prompt.',
    ),
  },
  quota: {
    summary: 'The tokens of a calendar month. `x-should-retry` is `false`.',
    value: refusal(
      'insufficient_quota',
      'insufficient_quota',
      'This account may use 20,000,000 tokens a calendar month; 512 tokens are left, and this request may take up to 4,310 tokens. The next period begins in 604,800 s (UTC). Lower max_tokens, or send a shorter prompt.',
    ),
  },
  spend: {
    summary: 'The money of a calendar day or month. `x-should-retry` is `false`.',
    value: refusal(
      'insufficient_quota',
      'insufficient_quota',
      'This account may use 5 USD a calendar day; 0.0021 USD are left, and this request may take up to 0.0026 USD. The next period begins in 21,600 s (UTC). Lower max_tokens, or send a shorter prompt.',
    ),
  },
} as const
