// Command tiny stands for the extension where only its packaging matters.
package main

func main() { println("tiny") }
