/** What the OpenAPI document shows of each request; a test holds them to the schemas. */

const question = [{ role: 'user', content: 'What is the capital of France?' }]

const weatherTool = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Get the weather in a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}

export const chatExamples = [
  { model: 'weir-demo', messages: question },
  { model: 'weir-demo', messages: question, stream: true, stream_options: { include_usage: true } },
  {
    model: 'weir-demo',
    messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
    tools: [weatherTool],
    tool_choice: 'auto',
  },
]

export const completionExamples = [{ model: 'weir-demo', prompt: 'The capital of France is', max_tokens: 16 }]

export const embeddingExamples = [
  { model: 'weir-demo', input: 'A text.', encoding_format: 'float' },
  { model: 'weir-demo', input: ['A text.', 'Another text.'], encoding_format: 'base64' },
]

export const tokenExamples = [{}, { scopes: ['chat', 'models'], expires_in: 300 }]
