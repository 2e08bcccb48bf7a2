# cppcheck finds nothing in the source.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use SL::Command qw(run);
use SL::Source qw(top);

my $top = top();
my $r = run(
    [
        qw(cppcheck --quiet --std=c11 --language=c --inline-suppr --error-exitcode=1),
        '--enable=warning,performance,portability', '--suppress=ctuuninitvar',
        '--suppress=missingIncludeSystem', '--suppress=normalCheckLevelMaxBranches', '--suppress=checkLevelNormal',
        "-I$top/mod_securelayer", "-I$top/include", "$top/mod_securelayer"
    ],
    timeout => 300
);
is($r->{status}, 0, 'cppcheck finds nothing') or diag $r->{err};
done_testing;
