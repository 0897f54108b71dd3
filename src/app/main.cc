#include "app/command_line.h"

int main(int argc, char** argv) { return millrace::app::Main(argc, argv); }
