# cppcheck finds nothing in the source.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Command qw(run slurp);
use SL::Source qw(top c_files);

my $top = top();
# It does not read APR's headers, whose macros stand between pieces of strings.
my %format = map { $_ => 1 } map { slurp("$top/$_") =~ /\b(APR_\w+_FMT)\b/g } c_files();
my $r = run(
    [
        qw(cppcheck --quiet --std=c11 --language=c --inline-suppr --error-exitcode=1),
        '--enable=warning,performance,portability', '--suppress=ctuuninitvar',
        '--suppress=missingIncludeSystem', '--suppress=normalCheckLevelMaxBranches', '--suppress=checkLevelNormal',
        '-DAPR_IMPLEMENT_OPTIONAL_HOOK_RUN_ALL(...)=',
        (map {"-D$_=\"x\""} sort keys %format),
        "-I$top/mod_securelayer", "-I$top/include", "$top/mod_securelayer"
    ],
    timeout => 300
);
is($r->{status}, 0, 'cppcheck finds nothing') or diag $r->{err};
done_testing;
