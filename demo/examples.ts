/** Sentences to begin with, one click each. */

export interface Example {
  name: string;
  /** A remark that is shown while the example is in the editor. */
  note: string | null;
  sentences: readonly string[];
}

export const examples: readonly Example[] = [
  {
    name: 'Four sentences, two pairs',
    note: null,
    sentences: [
      'The cat is sleeping on the sofa.',
      'Interest rates rose again this spring.',
      'A kitten naps on the couch.',
      'The central bank made borrowing more expensive.',
    ],
  },
  {
    name: 'Questions and answers',
    note: null,
    sentences: [
      'How long does it take to boil an egg?',
      'Why is the sky blue?',
      'How do I reset my password?',
      'When was the printing press invented?',
      'Open the settings, choose Account, and ask for a new one by e-mail.',
      'Air scatters short wavelengths of sunlight more than long ones.',
      'Six minutes for a soft yolk, ten for a firm one.',
      'Gutenberg printed with movable type around 1450.',
    ],
  },
  {
    name: 'Multilingual',
    note: 'Made for a model that knows many languages, such as multilingual-e5-small. An English one mostly sees alphabets.',
    sentences: [
      'The train to Paris leaves at eight.',
      'Der Zug nach Paris fährt um acht Uhr ab.',
      'Le train pour Paris part à huit heures.',
      'パリ行きの列車は八時に出発します。',
      'I would like a bowl of soup, please.',
      'Ich hätte gerne eine Schüssel Suppe.',
      'Quisiera un plato de sopa, por favor.',
      '请给我一碗汤。',
    ],
  },
  {
    name: 'Code and prose',
    note: null,
    sentences: [
      'Sort the list from the largest number to the smallest.',
      'numbers.sort((a, b) => b - a)',
      'Read a file line by line.',
      'for await (const line of readline(file)) { … }',
      'Stop the request after five seconds.',
      'fetch(url, { signal: AbortSignal.timeout(5000) })',
      'Remove repeated values.',
      '[...new Set(values)]',
    ],
  },
  {
    name: 'Customer messages',
    note: 'Five concerns, mixed. Choose “Grouped” to see them gather.',
    sentences: [
      'My parcel should have come on Monday. Where is it?',
      'I cannot log in, my password is not accepted.',
      'Please cancel my subscription.',
      'The shoes are one size too small, can I exchange them?',
      'I was charged twice for the same order.',
      'The package still has not arrived.',
      'How do I end my monthly plan?',
      'The password reset link does not work.',
      'There are two payments for one order on my card.',
      'I would like to swap this jacket for a larger size.',
      'Tracking has shown no movement of my parcel for a week.',
      'I no longer want to be a subscriber.',
      'My account is locked after too many login attempts.',
      'The trousers do not fit, I need a smaller size.',
      'You took the money for my order two times.',
      'When will my delivery get here?',
      'Stop the automatic renewal of my plan.',
      'The login page says that my password is wrong.',
      'These gloves are too big. Do you have them in medium?',
      'Please refund the second charge on my credit card.',
    ],
  },
];

/** What a first visit shows. */
export const firstExample = examples[0]?.sentences.join('\n') ?? '';

/** The example that the editor holds unchanged, or null. */
export function exampleOf(text: string): Example | null {
  return examples.find((example) => example.sentences.join('\n') === text.trim()) ?? null;
}
