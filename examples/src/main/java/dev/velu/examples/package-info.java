/** Programs of about ten lines that show what the library does. Each has a main method and runs in seconds. */
package dev.velu.examples;
