/** Choices from a list of random numbers, and from a fixed sequence when they are used up. */
export function choices(numbers: number[]): (n: number) => number {
  let i = 0;
  let state = 1;
  return (n) => {
    state = (state * 48271) % 2147483647;
    return (numbers[i++] ?? state) % n;
  };
}
